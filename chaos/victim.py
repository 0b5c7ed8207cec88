# SPDX-License-Identifier: Apache-2.0
"""Principals of the scenarios with a victim: a client with a connection and a reply queue of its own, and the victim,
which sends a write and a read every 100 ms and checks each answer."""
import collections
import json
import math
import struct
import threading
import time
import uuid

import pika

from load import EXCHANGE, RETRY_S, ROUTING_KEY, TROUBLE, close, connect
from servers import WAIT_S, await_true

PERIOD_S = 0.1
REPEAT_S = 10  # much longer than the limit of p99, so that it hides no slow answer
STEP_S = 0.005
BURST = 50  # commands that are published before the connection is read again
FRAME_MAX = 131072
FRAME_OVERHEAD = 8
BODY_START = struct.calcsize(">HHQ")  # class, weight and body size, before the properties in a header frame


class RawProperties(pika.BasicProperties):
    """Properties whose header table is given as encoded bytes: pika could not encode what some faults need."""

    table = b""
    TEXTS = ((10, "correlation_id"), (9, "reply_to"), (8, "expiration"), (7, "message_id"), (4, "user_id"),
             (2, "cluster_id"))

    def encode(self):
        flags, pieces = 1 << 13 | 1 << 12, [struct.pack(">I", len(self.table)), self.table, b"\x02"]
        for bit, name in self.TEXTS:
            value = getattr(self, name)
            if value is not None:
                flags |= 1 << bit
                pieces += [bytes([len(value)]), value.encode()]
        return [struct.pack(">H", flags), *pieces]

    def fill(self):
        """Fills the header frame, so that one more byte would be too much."""
        field = b"\x06filler" + b"S" + struct.pack(">I", 0)
        self.table = field
        room = FRAME_MAX - FRAME_OVERHEAD - BODY_START - len(b"".join(self.encode()))
        self.table = field[:-4] + struct.pack(">I", room) + b"x" * room

    def nest(self, levels):
        """A header of `levels` tables, one inside the other."""
        sizes = range(0, 7 * levels, 7)
        self.table = b"".join(b"\x01nF" + struct.pack(">I", size) for size in reversed(sizes))


class Command:
    """A command of a client, with its answers."""

    def __init__(self, body, properties):
        self.body, self.properties = body, properties
        self.id = properties.correlation_id
        self.first_at = self.sent_at = None  # of the first and of the last publish
        self.answers = []  # (time, text)
        self.check = None

    def waited(self, until, outages=()):
        """Seconds from the first publish to the first answer, without the time in which the broker was down."""
        end = self.answers[0][0] if self.answers else until
        down = sum(max(0, min(end, up) - max(self.first_at, since)) for since, up in outages)
        return end - self.first_at - down


def body_of(name, params):
    return json.dumps({"version": 1, "command": name, "params": params}).encode()


def code_of(text):
    said = json.loads(text)
    return "success" if said["status"] == "success" else said["error"]["code"]


def claim(provider, consumer=None, project="p", generation=None):
    """A claim of one VCPU, by default for a new consumer."""
    return body_of("allocation.set", {
        "consumer_uuid": consumer or str(uuid.uuid4()), "project_id": project, "user_id": "u",
        "consumer_generation": generation,
        "consumer_type": "INSTANCE", "allocations": {provider: {"resources": {"VCPU": 1}}}})


def create_provider(client, total=1000000):
    """Creates a provider with an inventory; returns its UUID once both are answered."""
    provider = str(uuid.uuid4())
    for name, params in (("provider.create", {"uuid": provider, "name": f"{client.user}-{provider}"}),
                         ("inventory.set", {"uuid": provider, "resource_provider_generation": 0,
                                            "inventories": {"VCPU": {"total": total}}})):
        command = client.send(body_of(name, params))
        await_true(lambda command=command: command.answers, WAIT_S, f"{name} of {client.user}")
        del client.commands[command.id]  # the figures are about what comes later
    return provider


class Client(threading.Thread):
    """Publishes commands in order and hears the replies. Whenever its connection is lost it sends again, under the
    same keys, what is unanswered; what comes back as unroutable is sent again after a pause."""

    def __init__(self, uri, queue, arguments=None):
        super().__init__(daemon=True)
        self.uri, self.queue, self.arguments = uri, queue, arguments
        self.user = queue.split(".")[0]
        self.prefix = uuid.uuid4().hex[:8]
        self.made = 0
        self.commands = {}  # id -> Command
        self.open_ids = set()  # of those without an answer
        self.outbox = collections.deque()
        self.returned = collections.deque()  # (time, command)
        self.over = threading.Event()
        self.ready = threading.Event()
        self.connection = self.channel = None

    # --- for other threads -----------------------------------------------------------------------

    def make(self, body, **properties):
        self.made += 1
        number = f"{self.prefix}-{self.made}"
        values = {"message_id": number, "correlation_id": number, "reply_to": self.queue, "user_id": self.user,
                  "delivery_mode": 2, **properties}
        command = Command(body, RawProperties(**values))
        self.commands[command.id] = command
        self.open_ids.add(command.id)
        return command

    def send(self, body, **properties):
        command = self.make(body, **properties)
        self.outbox.append(command)
        return command

    def unanswered(self):
        return [self.commands[id] for id in list(self.open_ids)]

    def codes(self):
        counts = collections.Counter(code_of(command.answers[0][1]) if command.answers else "unanswered"
                                     for command in list(self.commands.values()))
        return dict(counts)

    def stop(self):
        self.over.set()
        self.join(20)

    # --- its own thread --------------------------------------------------------------------------

    def run(self):
        while not self.over.is_set():
            try:
                self.open()
                while not self.over.is_set():
                    self.step()
            except TROUBLE:
                time.sleep(RETRY_S)
        self.close()

    def open(self):
        self.close()
        self.connection = connect(self.uri)
        self.channel = self.connection.channel()
        # Each time: a broker that is killed may forget a queue that was declared just before.
        self.channel.queue_declare(self.queue, durable=True, arguments=self.arguments)
        self.channel.add_on_return_callback(self.take_back)
        self.channel.basic_consume(self.queue, self.hear, auto_ack=True)
        for command in self.unanswered():
            if command.sent_at is not None:
                self.publish(command)
        self.ready.set()

    def close(self):
        close(self.connection)
        self.connection = None

    def step(self):
        while self.returned and self.returned[0][0] < time.monotonic():
            self.publish(self.returned.popleft()[1])
        for _ in range(min(BURST, len(self.outbox))):
            self.publish(self.outbox[0])
            self.outbox.popleft()  # only now: if the connection is lost, it is published again
        self.connection.process_data_events(0 if self.outbox else STEP_S)

    def publish(self, command):
        command.sent_at = time.monotonic()
        command.first_at = command.first_at or command.sent_at
        self.channel.basic_publish(EXCHANGE, ROUTING_KEY, command.body, command.properties, mandatory=True)

    def take_back(self, _channel, _method, properties, _body):
        command = self.commands.get(properties.correlation_id)
        if command is not None:
            self.returned.append((time.monotonic() + RETRY_S, command))

    def hear(self, _channel, _method, properties, body):
        command = self.commands.get(properties.correlation_id)
        if command is not None:
            command.answers.append((time.monotonic(), body.decode()))
            self.open_ids.discard(command.id)


class Victim(Client):
    """Sends a claim and a read of its provider every 100 ms, whether or not the earlier ones are answered."""

    def __init__(self, uri, queue):
        super().__init__(uri, queue)
        self.provider = None
        self.claimed = self.answered = 0  # claims that were sent, and those that were answered with success
        self.wrong = []
        self.due = None
        self.sending = False
        self.lock = threading.Lock()  # of what begins and ends the sending

    def start_sending(self):
        with self.lock:
            self.sending = True

    def stop_sending(self):
        """After it no command is added any more."""
        with self.lock:
            self.sending = False

    def step(self):
        now = time.monotonic()
        with self.lock:
            if self.sending and (self.due is None or now >= self.due):
                self.due = max((self.due or now) + PERIOD_S, now - 1)
                self.claim()
                self.read()
        self.ask_again(now)
        super().step()

    def ask_again(self, now):
        """Repeats what has no answer for REPEAT_S under its key, as docs/protocol.md section 7 asks of a producer: a
        broker that has just been killed may refuse a reply."""
        for command in self.unanswered():
            if command.sent_at is not None and now - command.sent_at > REPEAT_S:
                self.publish(command)

    def claim(self):
        consumer = str(uuid.uuid4())
        command = self.send(claim(self.provider, consumer))
        self.claimed += 1
        command.check = lambda result: (result["consumer_uuid"], result["consumer_generation"]) == (consumer, 1)

    def read(self):
        """The usage that it reads lies between the claims that were answered before and those that were sent."""
        least = self.answered
        command = self.send(body_of("provider.get", {"uuid": self.provider}))
        command.check = lambda result: least <= result["usages"]["VCPU"] <= self.claimed

    def hear(self, channel, method, properties, body):
        super().hear(channel, method, properties, body)
        command = self.commands.get(properties.correlation_id)
        if command is None or command.check is None:
            return
        if not self.is_right(command, json.loads(body)):
            self.wrong.append(body.decode()[:300])
        elif len(command.answers) == 1 and b'"allocation.set"' in command.body:
            self.answered += 1

    def is_right(self, command, said):
        try:
            return said["status"] == "success" and command.check(said["result"])
        except KeyError:
            return False

    def figures(self, outages):
        now = time.monotonic()
        sent = [command for command in self.commands.values() if command.first_at is not None]
        waited = sorted(command.waited(now, outages) for command in sent)
        at = lambda part: round(1000 * waited[max(0, math.ceil(part * len(waited)) - 1)]) if waited else None
        return {"commands": len(self.commands), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1),
                "wrong": len(self.wrong), "unanswered": len(self.unanswered())}
