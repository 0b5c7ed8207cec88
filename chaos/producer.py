# SPDX-License-Identifier: Apache-2.0
"""The load: commands of all kinds, made from a seed and from the replies so far."""
import collections
import json
import random
import threading
import time
import uuid

from journal import now_ms
from load import Link

HOT = [f"00000000-0000-4000-8000-{i:012x}" for i in range(3)]
HOT_TOTAL = 400
COLD = 8
GARBAGE = ["malformed", "malformed", "missing_message_id", "unauthenticated", "unsupported_version", "unknown_command",
           "invalid", "too_large"]


def record(total):
    return {"total": total}


def claim_body(consumer, provider, project, amount=1):
    return {"version": 1, "command": "allocation.set", "params": {
        "consumer_uuid": consumer, "project_id": project, "user_id": "u", "consumer_generation": None,
        "consumer_type": "INSTANCE", "allocations": {provider: {"resources": {"VCPU": amount}}}}}


class Producer(threading.Thread):
    """One connection and one reply queue; sends at a steady rate until `over` is set."""

    def __init__(self, index, user, uri, book, journal, seed, rate):
        super().__init__(daemon=True)
        self.index, self.user, self.book, self.journal, self.rate = index, user, book, journal, rate
        self.random = random.Random(f"{seed}/{index}")
        self.link = Link(uri)
        self.queue = f"{user}.chaos.{index}"
        self.over = threading.Event()
        self.give_up = threading.Event()
        self.number = 0
        self.recent = collections.deque(maxlen=100)
        self.consumers = {}  # uuid -> [generation, project, {provider: {class: n}}]
        self.busy = set()
        self.generations = collections.defaultdict(int)  # of providers, from the last reply
        self.cold = [self.make_uuid() for _ in range(COLD)] if user == "conductor" else []
        self.children = {}  # providers that are created and deleted
        self.lock = threading.Lock()
        self.watch = {}  # id -> function that handles the reply

    def make_uuid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    # --- sending ---------------------------------------------------------------------------------

    def make(self, body, key="", awaited=None, expect="valid", deadline=None, reply_to="", signed=True):
        self.number += 1
        send = {"t": "send", "id": f"{self.index}-{self.number}", "user": self.user, "expect": expect,
                "key": f"{self.user}-{self.index}-{self.number}" if key == "" else key, "deadline": deadline,
                "signed": signed, "reply_to": self.queue if reply_to == "" else reply_to}
        if body is not None:
            send["body"] = body if isinstance(body, str) else json.dumps(body)
        send["awaited"] = send["reply_to"] is not None if awaited is None else awaited
        return send

    def command(self, name, params, **options):
        if "reply_to" not in options and self.random.random() < 0.08:
            options["reply_to"] = None
        return self.make({"version": 1, "command": name, "params": params}, **options)

    def send(self, send, watch=None):
        if watch is not None and send["reply_to"] == self.queue:
            with self.lock:
                self.watch[send["id"]] = watch
        self.journal.note_all([dict(send)])
        tries = self.link.publish(send, self.give_up.is_set)
        self.journal.note("sent", id=send["id"], tries=tries)
        if send["expect"] == "valid":
            self.recent.append(send)

    def listen(self, record):
        if record["t"] != "reply":
            return
        with self.lock:
            watch = self.watch.pop(record["id"], None)
        if watch is not None:
            watch(json.loads(record["body"]))

    def learn_generations(self, reply):
        result = reply.get("result", {})
        for provider, generation in result.get("resource_provider_generations", {}).items():
            self.generations[provider] = max(self.generations[provider], generation)

    def run(self):
        due = time.monotonic()
        while not self.over.is_set():
            self.step()
            due = max(due + self.random.expovariate(self.rate), time.monotonic() - 0.5)
            time.sleep(max(0, due - time.monotonic()))
        self.link.close()

    # --- what to send ----------------------------------------------------------------------------

    def seed_data(self, providers, total):
        """Before the faults: providers, each with an inventory."""
        for provider in providers:
            self.send(self.make({"version": 1, "command": "provider.create",
                                 "params": {"uuid": provider, "name": f"host-{provider}"}}))
            while self.book.open_ids():
                time.sleep(0.01)
            self.send(self.make({"version": 1, "command": "inventory.set", "params": {
                "uuid": provider, "resource_provider_generation": 0,
                "inventories": {"VCPU": record(total), "MEMORY_MB": record(total * 1000)}}}))
            self.generations[provider] = 1

    def step(self):
        kinds = ([(self.claim, 40), (self.resize, 14), (self.delete, 14), (self.read_consumer, 3), (self.repeat, 5),
                  (self.reuse_key, 2), (self.with_deadline, 4), (self.garbage, 3)])
        if self.user == "conductor":
            kinds += [(self.batch, 4), (self.set_inventory, 4), (self.tree, 4), (self.reshape, 2), (self.read, 4)]
        else:
            kinds += [(self.trespass, 4)]
        self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]()

    def project(self):
        return self.random.choice(["blue-1", "blue-2"] if self.user == "team-blue" else ["red", "green", "blue-1"])

    def place(self):
        return self.random.choice(HOT) if self.random.random() < 0.6 or not self.cold else self.random.choice(self.cold)

    def allocations(self):
        return {self.place(): {"resources": {"VCPU": self.random.randint(1, 6), "MEMORY_MB": self.random.randint(1, 512)}}
                for _ in range(self.random.choice([1, 1, 1, 2]))}

    def params(self, project, generation):
        return {"project_id": project, "user_id": "u", "consumer_generation": generation, "consumer_type": "INSTANCE",
                "allocations": self.allocations()}

    def remember(self, consumer, project):
        self.busy.add(consumer)

        def watch(reply):
            self.busy.discard(consumer)
            self.learn_generations(reply)
            if reply["status"] == "success":
                self.consumers[consumer] = [reply["result"]["consumer_generation"], project]
        return watch

    def claim(self, **options):
        consumer, project = self.make_uuid(), self.project()
        send = self.command("allocation.set", {"consumer_uuid": consumer, **self.params(project, None)}, **options)
        self.send(send, self.remember(consumer, project))

    def idle(self):
        free = [consumer for consumer in list(self.consumers) if consumer not in self.busy]
        return self.random.choice(free) if free else None

    def resize(self):
        consumer = self.idle()
        if consumer is None:
            return self.claim()
        generation, project = self.consumers[consumer]
        if self.random.random() < 0.1:
            generation += 1  # wrong
        send = self.command("allocation.set", {"consumer_uuid": consumer, **self.params(project, generation)})
        return self.send(send, self.remember(consumer, project))

    def delete(self):
        consumer = self.idle()
        if consumer is None or len(self.consumers) < 10:
            return self.claim()
        params = {"consumer_uuid": consumer}
        if self.random.random() < 0.6:
            params["consumer_generation"] = self.consumers[consumer][0]
        self.busy.add(consumer)

        def watch(reply):
            if reply["status"] == "success":
                self.consumers.pop(consumer, None)
            self.busy.discard(consumer)
        return self.send(self.command("allocation.delete", params), watch)

    def batch(self):
        consumers = {self.make_uuid(): self.params(self.project(), None) for _ in range(self.random.randint(2, 4))}

        def watch(reply):
            self.learn_generations(reply)
            if reply["status"] == "success":
                for consumer, result in reply["result"]["consumers"].items():
                    self.consumers[consumer] = [result["consumer_generation"], consumers[consumer]["project_id"]]
        self.send(self.command("allocation.batch", {"consumers": consumers}), watch)

    def set_inventory(self):
        provider = self.place()
        total = self.random.randint(200, 500) if provider in HOT else self.random.randint(20, 200)
        params = {"uuid": provider, "resource_provider_generation": self.generations[provider],
                  "inventories": {"VCPU": record(total), "MEMORY_MB": record(400000)}}

        def watch(reply):
            if reply["status"] == "success":
                self.generations[provider] = max(self.generations[provider], reply["result"]["resource_provider_generation"])
            else:
                stored = reply["error"].get("details", {}).get("stored")
                self.generations[provider] = stored if stored is not None else self.generations[provider]
        self.send(self.command("inventory.set", params), watch)

    def tree(self):
        """Creates, renames, moves and deletes providers."""
        draw = self.random.random()
        if draw < 0.5 or not self.children:
            provider = self.make_uuid()
            self.children[provider] = True
            parent = self.random.choice(self.cold + list(self.children)[:3])
            params = {"uuid": provider, "name": f"child-{provider}"}
            if parent != provider:
                params["parent_provider_uuid"] = parent
            return self.send(self.command("provider.create", params))
        provider = self.random.choice(list(self.children))
        if draw < 0.75:
            parent = self.random.choice([None, self.random.choice(self.cold), self.random.choice(list(self.children))])
            params = {"uuid": provider, "name": f"moved-{self.number}", "parent_provider_uuid": parent}
            return self.send(self.command("provider.update", params))
        del self.children[provider]
        return self.send(self.command("provider.delete", {"uuid": provider}))

    def reshape(self):
        provider, consumer = self.random.choice(self.cold), self.make_uuid()
        claim = self.params("green", None)
        claim["allocations"] = {provider: {"resources": {"VCPU": 1, "MEMORY_MB": 1}}}
        params = {"inventories": {provider: {"resource_provider_generation": self.generations[provider],
                                             "inventories": {"VCPU": record(200), "MEMORY_MB": record(400000)}}},
                  "allocations": {consumer: claim}}

        def watch(reply):
            self.learn_generations(reply)
            stored = reply.get("error", {}).get("details", {}).get("stored")
            if isinstance(stored, int):
                self.generations[provider] = stored
            if reply["status"] == "success":
                self.consumers[consumer] = [1, "green"]
        self.send(self.command("reshape", params), watch)

    def read_consumer(self):
        if self.consumers:
            self.send(self.command("allocation.get", {"consumer_uuid": self.random.choice(list(self.consumers))}))

    def read(self):
        name, params = self.random.choice([
            ("provider.get", {"uuid": self.place()}), ("provider.get", {"uuid": self.random.choice(HOT)}),
            ("provider.allocations", {"uuid": self.place(), "limit": 20}),
            ("provider.list", {"limit": 5, "name_prefix": "host-"}),
            ("usage.get", {"project_id": self.project()})])
        self.send(self.command(name, params))

    def repeat(self):
        """Repeats a command with the same key and body, as a producer does after a time-out."""
        if self.recent:
            earlier = self.random.choice(self.recent)
            self.send(self.make(earlier["body"], key=earlier["key"], deadline=earlier["deadline"]))

    def reuse_key(self):
        """The key of another command, with another body."""
        if self.recent:
            earlier = self.random.choice(self.recent)
            self.claim(key=earlier["key"])

    def with_deadline(self):
        self.claim(deadline=now_ms() + self.random.choice([-1000, 50, 1000, 3600_000 * 24]))

    def trespass(self):
        """Commands that the policy of team-blue forbids: another project, or a reply to another's queue."""
        params = {"consumer_uuid": self.make_uuid(), **self.params("red", None)}
        if self.random.random() < 0.5:
            self.send(self.command("allocation.set", params, expect="forbidden"))
        else:
            self.send(self.command("allocation.set", params, expect="forbidden", reply_to="conductor.chaos.0",
                                   awaited=True))

    def garbage(self):
        kind = self.random.choice(GARBAGE)
        good = {"version": 1, "command": "allocation.get", "params": {"consumer_uuid": self.make_uuid()}}
        body, options = json.dumps(good), {"expect": kind, "awaited": True}
        if kind == "malformed":
            body = self.random.choice(["{nope", '{"a":1,"a":2}', "[1e999]", body + "x", ""])
        elif kind == "missing_message_id":
            options["key"] = None
        elif kind == "unauthenticated":
            options["signed"] = False
        elif kind == "unsupported_version":
            body = json.dumps(dict(good, version=2))
        elif kind == "unknown_command":
            body = json.dumps(dict(good, command="allocation.steal"))
        elif kind == "invalid":
            body = json.dumps(dict(good, params={"consumer_uuid": 7}))
        elif kind == "too_large":
            body = None
        if self.random.random() < 0.3:
            options["reply_to"] = None
        self.send(self.make(body, **options))
