# SPDX-License-Identifier: Apache-2.0
"""Faults of replies: addresses that the broker cannot serve, replies that it refuses, and queues that
are silent."""
import base64
import collections
import time

import pika

from broker_frame import Fault, NotInjected
from broker_headers import READ
from load import connect
from servers import WAIT_S, await_true
from victim import body_of, claim, create_provider

DIRECT = "amq.rabbitmq.reply-to"


def unroutable(frame):
    """Counts the success replies that the worker gave up, by `reply_to`. A line is about one reply, or about
    `not_logged` of them. (At debug there is a line for each, too.)"""
    counts = collections.Counter()
    for entry in frame.worker.entries():
        if entry.get("event") == "reply.unroutable" and entry.get("level") == "warning":
            counts[entry.get("reply_to")] += entry.get("not_logged", 1)
    return counts


class BadDirectReply(Fault):
    """Direct reply-to with tokens that are none, and with well-formed tokens of nodes that do not exist."""

    name = "bad-direct-reply"
    seconds = 10

    def prepare(self):
        self.culprit = self.frame.client("culprit")
        self.tokens = 5 if self.short else 50

    def inject(self):
        token, key = self.real_token()
        addresses = [f"{DIRECT}.AAAA.key{number}" for number in range(self.tokens)]
        addresses += [self.foreign(token, key, number) for number in range(self.tokens // 5)]
        self.prove_the_broker_ends_the_connection(addresses)
        self.closed = self.frame.count_closed("worker")
        self.commands = [self.culprit.make(READ, reply_to=address) for address in addresses]
        self.frame.publish_confirmed(self.commands)

    def real_token(self):
        """The token and key that the broker gives to a consumer of direct replies."""
        def ask(channel):
            channel.basic_consume(DIRECT, lambda *_: None, auto_ack=True)
            channel.queue_declare("chaos.direct", durable=True)
            channel.basic_publish("", "chaos.direct", b"", pika.BasicProperties(reply_to=DIRECT))
            _, properties, _ = channel.basic_get("chaos.direct", auto_ack=True)
            channel.queue_delete("chaos.direct")
            return properties.reply_to[len(DIRECT) + 1:].split(".")
        return self.frame.as_tester(ask)

    def foreign(self, token, key, number):
        """The same process identifier on a node with another name."""
        raw = base64.b64decode(token)
        at = raw.index(b"@") + 1
        return f"{DIRECT}.{base64.b64encode(raw[:at] + f'{number:09}'.encode() + raw[at + 9:]).decode()}.{key}"

    def prove_the_broker_ends_the_connection(self, addresses):
        """A publish to the first address ends its connection; the code for the last is only reported."""
        ends = []
        for address in (addresses[0], addresses[-1]):
            try:
                self.frame.as_tester(lambda channel, address=address: channel.basic_publish("", address, b""))
            except pika.exceptions.ConnectionClosedByBroker as closed:
                ends.append(closed.reply_code)
        if ends and ends[0] != 541 or not ends and self.broker_version() < (4, 3):
            raise NotInjected(f"the broker accepts {addresses[0]}")
        self.figures.append(f"codes with which the broker closes the connection of a publisher: {ends}")

    def broker_version(self):
        """RabbitMQ 4.3 drops replies to such addresses, and ends no connection: then the worker must not notice."""
        return tuple(map(int, self.frame.stack.rabbitmqctl("version").strip().split(".")[:2]))

    def settle(self):
        self.frame.expect(lambda: self.frame.backlog() == 0, "the commands with a bad reply_to have left the queue")
        self.closed = self.frame.count_closed("worker") - self.closed
        self.figures.append(f"the broker ended {self.closed} connections of the worker for {len(self.commands)} addresses")

    def check(self):
        if self.closed > 2 * len(self.commands):
            yield f"{self.closed} connections closed for {len(self.commands)} addresses (limit 2 each)"


class ReplyRefusedSize(Fault):
    """The broker takes no message as large as one reply of the culprit, which it reads among many other commands."""

    name = "reply-refused-size"
    LIMIT, CONSUMERS = 20000, 400
    EACH = 50  # one read of the culprit for so many of the bystander
    losses_max = 2  # the harness closes the connection, so that the worker's channels have the limit, and again later

    def prepare(self):
        frame = self.frame
        self.reads = 500 if self.short else 2500
        self.culprit, self.bystander = frame.client("culprit"), frame.client("bystander")
        self.provider = create_provider(self.culprit)
        for _ in range(self.CONSUMERS):
            self.culprit.send(claim(self.provider))
        await_true(lambda: not self.culprit.open_ids, WAIT_S, "the culprit's provider has many consumers")

    def set_limit(self, size):
        """A channel keeps the limit that it began with: so the worker's connections are closed."""
        # RabbitMQ 4 has read the setting at its start.
        self.frame.eval(f"application:set_env(rabbit, max_message_size, {size}), "
                        f"persistent_term:put(max_message_size, {size})")
        self.frame.reconnect_worker()

    def inject(self):
        self.set_limit(self.LIMIT)
        self.big = []
        for number in range(self.reads):
            self.bystander.send(READ)
            if number % (self.EACH // 5 if self.short else self.EACH) == 0:
                self.big.append(self.culprit.send(body_of("provider.allocations", {"uuid": self.provider})))
        self.frame.expect(lambda: not self.bystander.unanswered(), "the other producer has all answers")

    def prove(self):
        def publish(channel):
            channel.queue_declare("chaos.size", durable=True)
            try:
                channel.basic_publish("", "chaos.size", b"x" * (self.LIMIT + 1))
            except pika.exceptions.ChannelClosedByBroker as closed:
                return closed.reply_code
            return None
        if self.frame.as_tester(publish) != 406:
            raise NotInjected("the broker accepts a message over the limit")

    def clear(self):
        self.set_limit(128 << 20)
        self.frame.as_tester(lambda channel: channel.queue_delete("chaos.size"))

    def settle(self):
        self.frame.expect(lambda: not self.bystander.unanswered(), "the other producer has all answers in the end")
        self.frame.expect(lambda: self.frame.backlog() == 0, "nothing is left in the queue")

    def check(self):
        dropped = sum(unroutable(self.frame).values())
        if dropped > len(self.big):
            yield f"{dropped} replies were dropped; {len(self.big)} were too large"


class ReplyRefusedPermission(Fault):
    """The worker may not write to the default exchange for 3 s. A channel keeps the permissions that it has used, so
    the worker's connections are closed."""

    name = "reply-refused-permission"
    losses_max = 1
    RATE = 200  # commands a second of another producer

    def prepare(self):
        self.bystander = self.frame.client("bystander")

    def permit(self, write):
        self.frame.eval('rabbit_auth_backend_internal:set_permissions(<<"worker">>, <<"/">>, <<"^allot\\\\.">>, '
                        f'<<"{write}">>, <<"^allot\\\\.">>, <<"chaos">>)')

    def inject(self):
        self.permit(r"^allot\\..*$")
        self.frame.reconnect_worker()
        begun = time.monotonic()
        for number in range(20 if self.short else 3 * self.RATE):
            self.bystander.send(READ)
            time.sleep(max(0, begun + number / self.RATE - time.monotonic()))
        self.prove_the_broker_refuses()
        self.clear()

    def prove_the_broker_refuses(self):
        connection = connect(self.frame.stack.env["ALLOT_AMQP_URI"])
        channel = connection.channel()
        channel.confirm_delivery()
        try:
            channel.basic_publish("", "chaos.none", b"")
            raise NotInjected("the worker may write to the default exchange")
        except pika.exceptions.ChannelClosedByBroker as closed:
            if closed.reply_code != 403:
                raise NotInjected(f"the broker refuses with {closed.reply_code}") from closed
        finally:
            connection.close()

    def clear(self):
        self.permit(r"^(amq\\.default|allot\\..*)$")

    def settle(self):
        self.frame.expect(lambda: not self.bystander.unanswered(), "the other producer has all answers in the end")

    def check(self):
        dropped = sum(unroutable(self.frame).values())
        if dropped:
            yield f"{dropped} replies were dropped"


class ReplyQueueSilent(Fault):
    """The process of the culprit's reply queue is suspended, and does not confirm."""

    seconds = 35  # three tries of 10 s, and more
    arguments = None

    def prepare(self):
        self.commands = 1500 if self.short else 2000  # the broker's credit has to be used up
        self.culprit = self.frame.client("culprit", self.arguments)

    def inject(self):
        self.frame.suspend(self.culprit.queue)
        for _ in range(self.commands):
            self.culprit.send(READ)

    def clear(self):
        self.frame.resume(self.culprit.queue)

    def settle(self):
        counted = lambda: unroutable(self.frame)[self.culprit.queue]
        self.frame.expect(lambda: len(self.culprit.unanswered()) <= counted(),
                          "the culprit's replies arrive or are counted as unroutable")
        self.figures.append(f"{counted()} replies of the culprit were counted as unroutable")

    def check(self):
        counts = unroutable(self.frame)
        others = sum(counts.values()) - counts[self.culprit.queue]
        if others:
            yield f"{others} replies of others were dropped"


class ReplyQueueSilentQuorum(ReplyQueueSilent):
    name = "reply-queue-silent-quorum"
    arguments = {"x-queue-type": "quorum"}


class ReplyQueueSilentClassic(ReplyQueueSilent):
    name = "reply-queue-silent-classic"
    arguments = {"x-queue-type": "classic"}


FAULTS = [BadDirectReply, ReplyRefusedSize, ReplyRefusedPermission, ReplyQueueSilentQuorum, ReplyQueueSilentClassic]
