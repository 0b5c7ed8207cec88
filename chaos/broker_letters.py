# SPDX-License-Identifier: Apache-2.0
"""Faults of dead letters: a dead-letter queue that takes nothing, a flood of garbage meanwhile, a command that stays
open because its letter is not stored, dead letters with forged headers, and large bodies."""
import hashlib
import json
import os
import re
import signal
import time

import pika

import letters
from broker_frame import DATABASE, Fault, NotInjected
from broker_headers import READ
from servers import WAIT_S, await_true
from victim import code_of

GARBAGE = b"{nope"
DEAD = "allot.dead"
KEPT = 64 << 10  # bytes of a body over the limit that a dead letter has


class DeadLettersRefused(Fault):
    """The broker does not take dead letters while the culprit sends garbage. It is stored and acknowledged nevertheless.
    Its dead letters are published afterwards."""

    seconds = 20
    lines_max = 200
    heals = False  # whether the worker itself ends the fault
    settings = {"ALLOT_SHUTDOWN_TIMEOUT": "5s"}
    PUBLISHED_S = 90  # a sweep publishes what is 30 s old, and looks every 10 s; an old claim ends after 60 s
    HEALED_S = 75 + PUBLISHED_S  # the topology is verified once a minute

    def prepare(self):
        self.garbage = 20 if self.short else 300
        self.culprit = self.frame.client("culprit")
        self.before = self.frame.count(DEAD)
        self.commands = []

    def send_garbage(self, count):
        """Garbage without a reply_to has to become letters, and then dead letters."""
        commands = [self.culprit.make(GARBAGE, reply_to=None) for _ in range(count)]
        self.commands += commands
        self.frame.publish_confirmed(commands)

    def inject(self):
        self.refuse()
        self.send_garbage(self.garbage)
        self.await_letters()
        self.frame.await_acknowledgements()
        if self.heals and not self.short:
            self.frame.expect(self.all_have_arrived, "the worker declares what is missing", self.HEALED_S)

    def await_letters(self):
        self.frame.expect(lambda: self.frame.in_database(lambda found: letters.count_stored(found, self.commands))
                          == len(self.commands), "each piece of garbage has a letter during the fault")

    def refuse(self):
        raise NotImplementedError

    def accept(self):
        """What an operator does to end the fault."""

    def clear(self):
        self.accept()

    def all_have_arrived(self):
        try:
            return self.frame.count(DEAD) >= self.before + len(self.commands)
        except pika.exceptions.ChannelClosedByBroker:
            return False  # the queue does not exist

    def are_all_published(self):
        """The last look is for letters that were stored after the first."""
        return self.none_is_unpublished() and self.all_have_arrived() and self.none_is_unpublished()

    def none_is_unpublished(self):
        return self.frame.in_database(letters.count_unpublished) == 0

    def settle(self):
        if not self.short:
            self.frame.expect(self.are_all_published, "all dead letters arrive after the fault", self.PUBLISHED_S)

    def stop(self):
        """SIGTERM during the fault ends the worker with 0; the next one publishes the dead letters."""
        self.refuse()
        self.send_garbage(5)
        self.await_letters()
        status = self.frame.worker.end(signal.SIGTERM)
        self.accept()
        self.frame.worker.start()
        self.settle_again()
        return [] if status == 0 else [f"SIGTERM during the fault ended the worker with {status}"]

    def settle_again(self):
        await_true(lambda: self.frame.worker.is_running(), WAIT_S, "the worker runs")
        if not self.short:
            self.frame.expect(self.are_all_published, "all dead letters arrive after the restart", self.PUBLISHED_S)

    def tidy(self):
        """The short form does not wait for a sweep."""
        self.frame.in_database(lambda found: found["letters"].delete_many({"unpublished": True}))


class DeadLettersRefusedFull(DeadLettersRefused):
    """A policy limits the queue, which rejects what is too much."""

    name = "dead-letters-refused-full"

    def refuse(self):
        self.frame.as_tester(lambda channel: [channel.basic_publish("", DEAD, b"") for _ in range(2)])
        self.before += 2
        self.frame.stack.rabbitmqctl("set_policy", "chaos", "^allot.dead$", json.dumps(
            {"max-length": 1, "overflow": "reject-publish"}), "--apply-to", "queues")
        await_true(self.is_refused, WAIT_S, "allot.dead rejects what is published")

    def is_refused(self):
        try:
            self.frame.as_tester(lambda channel: channel.basic_publish("", DEAD, b""))
            self.before += 1
            return False
        except pika.exceptions.NackError:
            return True

    def accept(self):
        self.frame.stack.rabbitmqctl("clear_policy", "chaos")


class DeadLettersRefusedExchange(DeadLettersRefused):
    name = "dead-letters-refused-exchange"
    heals = True

    def refuse(self):
        self.frame.as_tester(lambda channel: channel.exchange_delete(DEAD))

    def accept(self):
        def declare(channel):
            channel.exchange_declare(DEAD, "fanout", durable=True)
            channel.queue_bind(DEAD, DEAD, DEAD)
        self.frame.as_tester(declare)


class DeadLettersRefusedQueue(DeadLettersRefused):
    """The desk queue takes what is published meanwhile, so the broker confirms it. It is not in the new allot.dead."""

    name = "dead-letters-refused-queue"
    heals = True

    def refuse(self):
        self.frame.as_tester(lambda channel: channel.queue_delete(DEAD))
        self.late = None

    def accept(self):
        def declare(channel):
            channel.queue_declare(DEAD, durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 1000000})
            channel.queue_bind(DEAD, DEAD, DEAD)
        self.frame.as_tester(declare)

    def all_have_arrived(self):
        """The queue is there, and what is sent since arrives."""
        try:
            count = self.frame.count(DEAD)
        except pika.exceptions.ChannelClosedByBroker:
            return False
        if self.late is None:
            self.late = count + 1
            self.send_garbage(1)
        return count >= self.late


class DeadLettersRefusedSuspended(DeadLettersRefused):
    name = "dead-letters-refused-suspended"

    def refuse(self):
        self.frame.suspend(DEAD)

    def accept(self):
        self.frame.resume(DEAD)


class LettersFlood(DeadLettersRefusedFull):
    """The culprit sends more garbage than the worker keeps in memory. Nobody else notices; the sweep publishes it."""

    name = "letters-flood"
    OTHERS = 20  # letters of another principal, from before
    STORED_S, SWEPT_S = 120, 300

    def prepare(self):
        super().prepare()
        self.garbage = 300 if self.short else 20000
        self.bystander = self.frame.client("bystander")
        self.commands = [self.bystander.make(GARBAGE, reply_to=None) for _ in range(self.OTHERS)]
        self.frame.publish_confirmed(self.commands, "bystander")
        self.frame.expect(self.are_all_published, "the letters of the other principal are published")
        self.others = self.find(self.bystander)
        self.before, self.commands = self.frame.count(DEAD), []

    def find(self, client):
        return self.frame.in_database(lambda found: list(found["letters"].find(letters.of_client(client))))

    def inject(self):
        self.refuse()
        self.begun = time.monotonic()
        self.commands = [self.culprit.send(GARBAGE, reply_to=None) for _ in range(self.garbage)]
        with self.frame.stack.client(readConcernLevel="majority") as client:
            stored = client[DATABASE]["letters"]
            self.frame.expect(lambda: stored.count_documents(letters.of_client(self.culprit)) >= self.garbage,
                              "each piece of garbage has a letter during the fault", self.STORED_S)
        took_s = time.monotonic() - self.begun
        self.figures.append(f"{self.garbage} letters stored in {took_s:.1f} s, {self.garbage / took_s:.0f} a second")
        self.frame.await_acknowledgements()

    def prove(self):
        left = self.frame.in_database(letters.count_unpublished)
        if left < self.garbage / 2:
            raise NotInjected(f"{self.garbage - left} of {self.garbage} dead letters were accepted")

    def settle(self):
        if self.short:
            self.frame.in_database(letters.age)
        begun = time.monotonic()
        self.frame.expect(self.are_all_published, "all dead letters arrive after the fault", self.SWEPT_S)
        self.figures.append(f"all published {time.monotonic() - begun:.0f} s after the fault")

    def check(self):
        expected = {letters.id_of(command): command.id for command in self.commands}
        found = {letter["_id"]: letter["key"] for letter in self.find(self.culprit)}
        if found != expected:
            yield f"{len(found)} letters for {len(expected)} commands; {len(found.items() ^ expected.items())} differ"
        others = self.find(self.bystander)
        if others != self.others:
            yield f"letters of another principal changed; {len(others)} of {len(self.others)} are left"
        yield from self.missing_dead_letters()

    def missing_dead_letters(self):
        arrived = self.frame.as_tester(self.take_all)
        missing = [command.id for command in self.commands if command.id not in arrived]
        if missing:
            yield f"{len(missing)} commands have no dead letter: {missing[:5]}"

    def take_all(self, channel):
        """The message ids of all dead letters."""
        found = set()
        for method, properties, _ in channel.consume(DEAD, auto_ack=True, inactivity_timeout=1):
            if method is None:
                return found
            found.add(properties.message_id)

    def stop(self):
        return []


class LettersFull(LettersFlood):
    """Unpublished letters of the culprit fill its part of letters.max_bytes. What it sends then has to wait for its dead
    letters, and nobody else notices."""

    name = "letters-full"
    long_only = True  # letters are measured once a minute
    settings = {"ALLOT_LETTERS_MAX_BYTES": "1MiB"}
    FILL = 300  # at least 2 KiB each
    MEASURED_S = 90

    def prepare(self):
        super().prepare()
        self.garbage = self.FILL

    def inject(self):
        super().inject()
        self.frame.expect(lambda: self.frame.worker.events()["letters.over_bound"] > 0, "the letters are measured",
                          self.MEASURED_S)
        self.commands += [self.culprit.send(GARBAGE, reply_to=None) for _ in range(20000)]
        self.frame.expect(lambda: not self.culprit.outbox and self.frame.count("allot.commands") == 0,
                          "the worker holds all commands", self.STORED_S)

    def prove(self):
        held = self.frame.count_all()
        if len(self.find(self.culprit)) != self.FILL or held < len(self.commands) - self.FILL:
            raise NotInjected(f"{len(self.find(self.culprit))} letters, {held} commands are not acknowledged")
        self.figures.append(f"{held} commands waited for their dead letters")

    def check(self):
        yield from self.missing_dead_letters()
        left = self.frame.count_all()
        if left > 0:
            yield f"{left} commands are not acknowledged"


class ManyAcks(Fault):
    """One command stays open, since the database does not store its letter; many others finish meanwhile."""

    name = "many-acks"
    seconds = 1
    WINDOW = 1000
    WRITE_CONFLICT = 112  # the worker tries again as long as it lasts

    def prepare(self):
        self.half = 500 if self.short else 10000
        self.culprit, self.bystander = self.frame.client("culprit"), self.frame.client("bystander")
        self.port = self.frame.stack.primary_port()
        self.garbage = self.culprit.make(GARBAGE, reply_to=None)

    def fail_point(self, mode, **data):
        """Returns how often it was met before."""
        with self.frame.stack.node(self.port, 20000) as client:
            return client.admin.command("configureFailPoint", "failCommand", mode=mode, data=data)["count"]

    def inject(self):
        self.met = self.fail_point("alwaysOn", failCommands=["update"], namespace=f"{DATABASE}.letters",
                                   errorCode=self.WRITE_CONFLICT, errorLabels=["TransientTransactionError"])
        self.frame.publish_confirmed([self.garbage])
        self.rates = [self.finish_half(), self.finish_half()]

    def finish_half(self):
        """Commands a second, with at most WINDOW at a time."""
        begun = time.monotonic()
        for _ in range(self.half):
            self.bystander.send(READ)
            while len(self.bystander.open_ids) > self.WINDOW:
                time.sleep(0.005)
        self.frame.expect(lambda: not self.bystander.open_ids, "the half is answered", 240)
        return self.half / (time.monotonic() - begun)

    def is_stored(self):
        return self.frame.in_database(lambda found: letters.count_stored(found, [self.garbage])) == 1

    def prove(self):
        """The command is still open. It is the oldest: all that finished are behind it."""
        if self.is_stored():
            raise NotInjected("the letter was stored")
        if self.frame.count_all() == 0:
            raise NotInjected("the command was acknowledged")
        self.figures.append(f"{self.rates[0]:.0f} commands a second in the first half, {self.rates[1]:.0f} in the second")

    def clear(self):
        self.met = self.fail_point("off") - self.met
        self.figures.append(f"the database rejected the letter {self.met} times")

    def settle(self):
        self.frame.expect(self.is_stored, "the letter is stored after the fault")
        self.frame.expect(lambda: self.frame.count_all() == 0, "all commands are acknowledged")

    def check(self):
        if self.met == 0:
            yield "the database rejected no letter"
        if not self.short and self.rates[1] < self.rates[0] / 2:
            yield f"throughput falls from {self.rates[0]:.0f} to {self.rates[1]:.0f} commands a second"


class ForgedLetters(Fault):
    """Expired commands whose publisher set the headers of a dead letter; replies to the service's own queues; a
    property that a dead letter has to keep."""

    name = "forged-letters"
    FORGED = {"x-allot-reason": "internal\x1b[31m", "x-allot-detail": "all is OK\x07\x9b2J\x7f", "x-allot-worker": "w\x1b",
              "x-allot-principal": "somebody\x1b", "x-allot-queue": "q\x1b", "x-allot-dead-at": 1}
    CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")

    def prepare(self):
        self.culprit, self.greedy = self.frame.client("culprit"), self.frame.client("greedy")
        self.before = self.frame.count(DEAD)
        self.expired = [self.forged() for _ in range(3)]
        self.frame.expire(self.expired)

    def forged(self):
        command = self.culprit.make(READ, expiration="0")
        properties = command.properties
        command.properties = pika.BasicProperties(
            message_id=properties.message_id, correlation_id=properties.correlation_id, reply_to=properties.reply_to,
            user_id=properties.user_id, expiration="0", delivery_mode=2, headers=dict(self.FORGED))
        return command

    def inject(self):
        self.to_service = [self.greedy.make(READ, reply_to=queue) for queue in ("allot.commands", "allot.dead")]
        self.frame.publish_confirmed(self.to_service, "greedy")
        self.with_cluster = self.culprit.make(GARBAGE, reply_to=None, cluster_id="cluster-7")
        self.frame.publish_confirmed([self.with_cluster])

    def prove(self):
        if self.frame.count(DEAD) < self.before + len(self.expired):
            raise NotInjected("the commands did not expire")

    def settle(self):
        self.frame.expect(lambda: self.frame.count(DEAD) >= self.before + len(self.expired) + 3, "all are dead-lettered")
        time.sleep(0 if self.short else 1)  # a reply that went to allot.commands comes back as a command

    def check(self):
        for arguments in ((), ("--json",)):
            yield from self.check_list(*arguments)
        dead = self.frame.drain(DEAD)
        yield from self.check_forbidden(dead)
        clusters = [properties.cluster_id for properties, _ in dead
                    if properties.message_id == self.with_cluster.id]
        if clusters != ["cluster-7"]:
            yield f"cluster_id is {clusters}"

    def check_list(self, *arguments):
        done = self.frame.harness.run_ctl("dead", "list", *arguments, user="operator")
        if done.returncode != 0:
            yield f"allotctl dead list: {done.stderr[-300:]}"
        if self.CONTROLS.search(done.stdout):
            yield f"control characters: {self.CONTROLS.findall(done.stdout)}"
        for command in self.expired:
            lines = [line for line in done.stdout.splitlines() if command.id in line]
            if len(lines) != 1 or not re.search(r'\texpired\tculprit\t|"reason":"expired","principal":"culprit"', lines[0]):
                yield f"an expired command is listed as {lines}"

    def check_forbidden(self, dead):
        found = {properties.message_id: properties.headers or {} for properties, _ in dead}
        for command in self.to_service:
            reason = found.get(command.id, {}).get("x-allot-reason")
            if reason != "forbidden":
                yield f"reply_to {command.properties.reply_to}: the dead letter has the reason {reason}"
        replies = [body[:200] for properties, body in dead if properties.type == "allot.reply"]
        if replies:
            yield f"replies in the dead-letter queue: {replies}"


class LargeBodies(Fault):
    """Bodies far over the limit of 1 MiB."""

    name = "large-bodies"
    PEAK_KB_MAX = 64 << 10
    DEAD_BYTES_MAX = 16 << 20

    def prepare(self):
        self.count, self.size = (2, 8 << 20) if self.short else (6, 100 << 20)
        self.culprit = self.frame.client("culprit")
        self.frame.drain(DEAD)
        self.sizes, self.alarms, self.dead_bytes = {}, 0, 0

    def inject(self):
        for number in range(self.count):
            command = self.culprit.make(os.urandom(self.size))
            self.sizes[command.id] = (len(command.body), hashlib.sha256(command.body).hexdigest())
            self.frame.publish_confirmed([command])
            command.body = b""
            self.frame.expect(lambda number=number: self.frame.count(DEAD) > number, "the body is dead-lettered")
            self.alarms += "memory" in self.frame.eval("rabbit_alarm:get_alarms()")

    def settle(self):
        self.frame.expect(lambda: not self.culprit.unanswered(), "too_large is answered")

    def check(self):
        dead = self.frame.drain(DEAD)
        yield from self.check_letters(dead)
        total = sum(len(body) for _, body in dead)
        peak_kb = self.frame.worker.peak_kb()
        self.figures.append(f"{len(dead)} dead letters of {total} bytes in all; the broker's memory alarm was on "
                            f"{self.alarms} times of {self.count}")
        if total > self.DEAD_BYTES_MAX:
            yield f"the dead letters have {total} bytes (limit {self.DEAD_BYTES_MAX})"
        if self.alarms:
            yield "the broker raised its memory alarm"
        if not self.short and peak_kb > self.PEAK_KB_MAX:
            yield f"peak RSS {peak_kb} kB (limit {self.PEAK_KB_MAX})"
        yield from (f"answered {code_of(command.answers[0][1])}" for command in self.culprit.commands.values()
                    if command.answers and code_of(command.answers[0][1]) != "too_large")

    def check_letters(self, dead):
        for properties, body in dead:
            size, digest = self.sizes.get(properties.message_id, (None, None))
            headers = properties.headers or {}
            given = headers.get("x-allot-body-size"), headers.get("x-allot-body-sha256")
            if given != (size, digest):
                yield f"a letter says size and hash {given}, not {(size, digest)}"
            if len(body) != KEPT:
                yield f"a letter has {len(body)} bytes of the body, not {KEPT}"


FAULTS = [DeadLettersRefusedFull, DeadLettersRefusedExchange, DeadLettersRefusedQueue, DeadLettersRefusedSuspended,
          LettersFlood, LettersFull, ManyAcks, ForgedLetters, LargeBodies]
