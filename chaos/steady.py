# SPDX-License-Identifier: Apache-2.0
"""A steady load that leaves nothing behind. It consists of lives: providers and consumers are created, used and
deleted, and every answer is known beforehand."""
import collections
import json
import random
import time
import uuid

import pika

import sentinel
from load import EXCHANGE, ROUTING_KEY, connect

SLOTS = 64  # lives at a time
ROUNDS = 12  # of claims in a life
BATCH = 20
TOTAL = 100000
REPEATED, GARBAGE = 0.03, 0.01  # parts of the commands
QUEUE = "conductor.chaos.0"
PROBLEMS_MAX = 20
SLOW_S = 60


class Unexpected(Exception):
    pass


class Life:
    """One life: a generator of (command, params) that receives the result of each."""

    def __init__(self, rng):
        self.random = rng
        self.project = f"red-{rng.getrandbits(32):x}"

    def make_uuid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def record(self):
        return {"VCPU": {"total": TOTAL}, "MEMORY_MB": {"total": TOTAL, "allocation_ratio": 1.5}}

    def claim(self, generation, *providers):
        resources = {"resources": {"VCPU": self.random.randint(1, 9), "MEMORY_MB": self.random.randint(1, 512)}}
        return {"project_id": self.project, "user_id": "u", "consumer_generation": generation,
                "consumer_type": "INSTANCE", "allocations": {provider: resources for provider in providers},
                "mappings": {"": [providers[0]]}}

    def live(self):
        root, child = self.make_uuid(), self.make_uuid()
        yield "provider.create", {"uuid": root, "name": f"root-{root}"}
        yield "provider.create", {"uuid": child, "name": f"child-{child}", "parent_provider_uuid": root}
        for provider in (root, child):
            yield "inventory.set", {"uuid": provider, "resource_provider_generation": 0, "inventories": self.record()}
        for _ in range(ROUNDS):
            yield from self.round(root, child)
        yield from self.reshape(root, child)
        yield "provider.update", {"uuid": child, "name": f"moved-{child}", "parent_provider_uuid": None}
        for provider in (root, child):
            generation = (yield "provider.get", {"uuid": provider})["generation"]
            yield "inventory.set", {"uuid": provider, "resource_provider_generation": generation, "inventories": {}}
            yield "provider.delete", {"uuid": provider}

    def round(self, root, child):
        one, many = self.make_uuid(), [self.make_uuid() for _ in range(BATCH)]
        yield "allocation.set", {"consumer_uuid": one, **self.claim(None, root, child)}
        got = yield "allocation.get", {"consumer_uuid": one}
        if got["consumer_generation"] != 1:
            raise Unexpected(f"generation {got['consumer_generation']} of a new consumer")
        for generation in (1, 2):
            yield "allocation.set", {"consumer_uuid": one, **self.claim(generation, root)}
        yield "allocation.batch", {"consumers": {consumer: self.claim(None, child) for consumer in many}}
        usage = yield "usage.get", {"project_id": self.project}
        count = usage["usages"]["INSTANCE"]["consumer_count"]
        if count != BATCH + 1:
            raise Unexpected(f"{count} consumers of {self.project}")
        yield "provider.allocations", {"uuid": child, "limit": 10}
        yield "allocation.batch", {"consumers": {consumer: dict(self.claim(1, child), allocations={})
                                                 for consumer in many}}
        yield "allocation.delete", {"consumer_uuid": one, "consumer_generation": 3}

    def reshape(self, root, child):
        consumer = self.make_uuid()
        inventories = {}
        for provider in (root, child):
            generation = (yield "provider.get", {"uuid": provider})["generation"]
            inventories[provider] = {"resource_provider_generation": generation, "inventories": self.record()}
        yield "reshape", {"inventories": inventories, "allocations": {consumer: self.claim(None, root, child)}}
        yield "allocation.delete", {"consumer_uuid": consumer}


class Waiting:
    """A command without an answer yet."""

    def __init__(self, life, body, key, expected, earlier=None):
        self.life, self.body, self.key, self.expected = life, body, key, expected
        self.earlier = earlier  # for a repeated command: the answer that it has to get
        self.since = time.monotonic()


class Load:
    def __init__(self, uri, seed, rate):
        self.random = random.Random(seed)
        self.rate = rate
        self.connection = connect(uri)
        self.channel = self.connection.channel()
        self.channel.queue_declare(QUEUE, durable=True)
        self.channel.basic_consume(QUEUE, self.hear, auto_ack=True)
        self.waiting = {}  # id -> Waiting
        self.due = collections.deque()  # (life, what to send it)
        self.sent = self.lives = self.garbage = 0
        self.ending = False
        self.problems = []

    # --- sending ---------------------------------------------------------------------------------

    def publish(self, key, body, waiting):
        self.sent += 1
        id = str(self.sent)
        self.waiting[id] = waiting
        properties = pika.BasicProperties(message_id=key, correlation_id=id, reply_to=QUEUE, user_id="conductor",
                                          delivery_mode=2)
        self.channel.basic_publish(EXCHANGE, ROUTING_KEY, body.encode(), properties)

    def begin(self):
        if not self.ending:
            self.lives += 1
            self.due.append((Life(random.Random(self.random.getrandbits(64))).live(), None))

    def next_command(self):
        """Sends the next command of a life, and now and then a malformed one beside it."""
        life, result = self.due.popleft()
        try:
            command, params = life.send(result)
        except StopIteration:
            self.begin()
            return
        except (Unexpected, KeyError) as trouble:
            self.report(f"{trouble!r}: {result}")
            self.begin()
            return
        key, body = f"soak-{self.sent + 1}", json.dumps({"version": 1, "command": command, "params": params})
        self.publish(key, body, Waiting(life, body, key, "success"))
        if self.random.random() < GARBAGE:
            self.garbage += 1
            bad = self.random.choice(["{nope", '{"a":1,"a":2}', body + "x", ""])
            self.publish(f"soak-{self.sent + 1}", bad, Waiting(None, bad, "", "malformed"))

    def report(self, what):
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(what)

    # --- hearing ---------------------------------------------------------------------------------

    def hear(self, channel, method, properties, body):
        waiting = self.waiting.pop(properties.correlation_id, None)
        text = body.decode()
        if waiting is None:
            return self.report(f"an answer without a command: {text[:300]}")
        said = json.loads(text)
        code = "success" if said["status"] == "success" else said["error"]["code"]
        if code != waiting.expected or (waiting.earlier is not None and waiting.earlier != text):
            self.report(f"{waiting.body[:300]}: {text[:300]}")
            return self.begin() if waiting.life is not None else None
        if waiting.life is None:
            return None
        self.due.append((waiting.life, said["result"]))
        if json.loads(waiting.body)["command"].startswith(("allocation.set", "inventory", "reshape")) and \
                self.random.random() < REPEATED:
            self.publish(waiting.key, waiting.body, Waiting(None, waiting.body, waiting.key, "success", text))
        return None

    # --- running ---------------------------------------------------------------------------------

    def run(self, seconds):
        """Sends at the given rate, or as fast as the worker answers if that is less."""
        for _ in range(SLOTS):
            self.begin()
        begun = time.monotonic()
        while time.monotonic() < begun + seconds:
            allowed = (time.monotonic() - begun) * self.rate
            while self.due and self.sent < allowed:
                self.next_command()
            self.connection.process_data_events(0.005)
            self.fail_on_slow_answers()

    def fail_on_slow_answers(self):
        if self.waiting:
            waiting = next(iter(self.waiting.values()))  # the one that was sent first
            if time.monotonic() - waiting.since > SLOW_S:
                raise TimeoutError(f"no answer for {SLOW_S} s: {waiting.body[:300]}")

    def finish(self, seconds):
        """Runs all lives to their ends. Returns the seconds of the last answer, or None if answers are missing."""
        self.ending = True
        begun = time.monotonic()
        last = begun
        while self.due or self.waiting:
            before = self.sent, len(self.waiting)
            while self.due:
                self.next_command()
            self.connection.process_data_events(0.01)
            if (self.sent, len(self.waiting)) != before:
                last = time.monotonic()
            elif time.monotonic() > last + seconds:
                return None
        self.connection.close()
        return round(time.monotonic() - last, 1)

    def open_ids(self):
        return [waiting.key for waiting in self.waiting.values()][:10]

    def count_left(self, connect_client):
        with connect_client() as client:
            database = client["allot_chaos"]
            return {name: database[name].count_documents(sentinel.EXCLUDED) for name in ("providers", "consumers")}
