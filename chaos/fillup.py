# SPDX-License-Identifier: Apache-2.0
"""A database that does not take what it is given: for good of one command, for a while of all."""
import json
import signal
import time

import judge
from harness import await_true
from producer import HOT, claim_body

GOOD, CULPRIT_AT = 200, 100
CULPRIT = "cursed"
TOTAL = 1_000_000
REFUSED_MAX = 20  # batches on the way to one command among 200: a bisection (a batch grows again on success), no search

# What the server says to the batch a few times, and to none of its commands: name -> (code, times).
PASSING = {
    "validation failed": (121, 3),
    "transaction too large": (257, 3),
    "document too large": (10334, 3),
}
# What it says to all for a while: name -> (command, code).
LASTING = {
    "disk full at insert": ("insert", 14031),
    "disk full at commit": ("commitTransaction", 14031),
    "over the quota at insert": ("insert", 8000),
    "over the quota at update": ("update", 8000),
}
LASTING_S = 3


class Refusals:
    """Each case is 200 good commands that reach the worker in one piece, while the database refuses something."""

    def __init__(self, lab):
        self.lab, self.worker, self.producer = lab, lab.workers[0], lab.producers[0]

    def make(self, name, count=GOOD):
        bodies = [claim_body(self.producer.make_uuid(), HOT[i % len(HOT)], "red") for i in range(count)]
        return [self.producer.make(body, key=f"{name.replace(' ', '-')}-{i}") for i, body in enumerate(bodies)]

    def send_at_once(self, sends):
        """The worker is stopped meanwhile, so that all of them wait in its connection when it goes on."""
        self.worker.send_signal(signal.SIGSTOP)
        self.producer.journal.note_all([dict(send) for send in sends])
        for send in sends:
            self.producer.link.publish(send)
        time.sleep(0.3)
        self.worker.send_signal(signal.SIGCONT)

    def settle(self):
        await_true(lambda: not self.lab.book.open_ids(), 60, "all is answered")

    def run(self, name, inject, heal, sends):
        self.lab.journal.note("fault", name=name, phase="inject")
        state = inject()
        self.send_at_once(sends)
        count = heal(state)
        self.lab.journal.note("fault", name=name, phase="heal", count=count)
        self.settle()

    # --- one culprit -----------------------------------------------------------------------------

    def database(self, client):
        return client[self.worker.environment["ALLOT_MONGODB_DATABASE"]]

    def set_validator(self, validator):
        with self.lab.stack.client() as client:
            self.database(client).command("collMod", "consumers", validator=validator)

    def curse(self):
        """The validator as it is, and one more condition."""
        with self.lab.stack.client() as client:
            options = next(self.database(client).list_collections(filter={"name": "consumers"}))["options"]
        self.set_validator({"$and": [options["validator"], {"project_id": {"$ne": CULPRIT}}]})
        return options["validator"]

    def lift(self, validator):
        self.settle()
        self.set_validator(validator)
        return 1

    def one_culprit(self):
        """It is refused; once the cause is mended it is sent again, as an operator replays a dead letter."""
        sends = self.make("beside the culprit")
        body = claim_body(self.producer.make_uuid(), HOT[0], CULPRIT)
        sends.insert(CULPRIT_AT, self.producer.make(body, key=CULPRIT, expect="internal"))
        self.run("validator refuses one command", self.curse, self.lift, sends)
        self.producer.send(self.producer.make(body, key=CULPRIT))
        self.settle()

    # --- failpoints ------------------------------------------------------------------------------

    def fail(self, command, code, mode):
        def inject():
            port = self.lab.stack.primary_port()
            data = {"failCommands": [command], "appName": f"allotd:{self.worker.name}", "errorCode": code}
            with self.lab.stack.node(port) as client:
                return port, client.admin.command("configureFailPoint", "failCommand", data=data, mode=mode)["count"]
        return inject

    def heal(self, state, after_s=0):
        port, before = state
        time.sleep(after_s)
        with self.lab.stack.node(port) as client:
            return client.admin.command("configureFailPoint", "failCommand", mode="off")["count"] - before

    def passing(self, name, code, times):
        def heal(state):
            self.settle()
            return self.heal(state)
        self.run(f"refused in passing: {name}", self.fail("insert", code, {"times": times}), heal, self.make(name))

    def lasting(self, name, command, code):
        self.run(name, self.fail(command, code, "alwaysOn"), lambda state: self.heal(state, LASTING_S), self.make(name))


def fill_up(lab, options, _):
    lab.up(1, ["conductor"], 1, settings={"ALLOT_LOG_LEVEL": "debug"})
    lab.start_workers()
    lab.producers[0].stock(HOT, TOTAL)
    await_true(lambda: not lab.book.open_ids(), 60, "the providers are stocked")
    refusals = Refusals(lab)
    refusals.one_culprit()
    largest, refused = refused_batches(lab.workers[0])
    for name, (code, times) in PASSING.items():
        refusals.passing(name, code, times)
    for name, (command, code) in LASTING.items():
        refusals.lasting(name, command, code)
    healed = time.monotonic()
    facts = {"settled_s": lab.settle(healed), "open": lab.book.open_ids(), "queue": lab.queue_length(),
             "faults_min": 1 + len(PASSING) + len(LASTING), "sends_min": GOOD * (1 + len(PASSING) + len(LASTING)),
             "largest": largest, "refused": refused,
             "told": [f"the culprit was found in {refused} refused batches, the largest of {largest} commands"]}
    return lab.gather(facts), judge.RULES + [the_culprit_alone_is_dead_lettered, all_others_succeed,
                                             the_mended_culprit_succeeds, it_is_found_by_bisection]


def refused_batches(worker):
    """(the most commands in one that the storage refused, how many were)"""
    sizes = [0]
    for line in worker.log.read_text(errors="replace").splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        if entry.get("event") == "batch.failed" and entry.get("status") == "refused":
            sizes.append(int(entry["commands"]))
    return max(sizes), len(sizes) - 1


def the_culprit_alone_is_dead_lettered(case):
    letters = [(letter["key"], letter["reason"]) for letter in case.dead]
    if letters != [(CULPRIT, "internal")]:
        yield f"dead letters: {sorted(map(str, letters))[:10]}"


def all_others_succeed(case):
    for id, send in case.sends.items():
        said = [judge.code_of(reply["said"]) for reply in case.replied[id]]
        if send["expect"] == "valid" and (not said or set(said) != {"success"}):
            yield f"{judge.where(send)}, {send['key']}: {said}"


def the_mended_culprit_succeeds(case):
    said = [judge.code_of(reply["said"]) for reply in case.replies if case.sends[reply["id"]]["key"] == CULPRIT]
    if said != ["internal", "success"]:
        yield f"{CULPRIT}: {said}"


def it_is_found_by_bisection(case):
    if case.facts["largest"] <= GOOD:
        yield f"the largest batch that was refused had {case.facts['largest']} commands, not all {GOOD + 1}"
    if not 2 <= case.facts["refused"] <= REFUSED_MAX:
        yield f"{case.facts['refused']} batches were refused, not 2 to {REFUSED_MAX}"
