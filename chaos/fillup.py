# SPDX-License-Identifier: Apache-2.0
"""A database that rejects writes: of one command permanently, of all commands for a while."""
import json
import signal
import time

import judge
from servers import await_true
from producer import HOT, claim_body

GOOD, CULPRIT_AT = 200, 100
CULPRIT = "cursed"
TOTAL = 1_000_000
REFUSED_MAX = 20  # rejected batches until one command of 200 is found: a bisection (batches grow again on success)

# Errors of a few batches, of no single command: name -> (code, times).
PASSING = {
    "validation failed": (121, 3),
    "transaction too large": (257, 3),
    "document too large": (10334, 3),
}
# Errors of every batch for a while: name -> (command, code).
LASTING = {
    "disk full at insert": ("insert", 14031),
    "disk full at commit": ("commitTransaction", 14031),
    "over the quota at insert": ("insert", 8000),
    "over the quota at update": ("update", 8000),
}
LASTING_S = 3


class Refusals:
    """Each fault meets 200 valid commands that reach the worker in one batch, while the database rejects writes."""

    def __init__(self, harness):
        self.harness, self.worker, self.producer = harness, harness.workers[0], harness.producers[0]

    def make(self, name, count=GOOD):
        bodies = [claim_body(self.producer.make_uuid(), HOT[i % len(HOT)], "red") for i in range(count)]
        return [self.producer.make(body, key=f"{name.replace(' ', '-')}-{i}") for i, body in enumerate(bodies)]

    def send_at_once(self, sends):
        """Stops the worker while it publishes, so that all commands wait in its connection and make one batch."""
        self.worker.send_signal(signal.SIGSTOP)
        self.producer.journal.note_all([dict(send) for send in sends])
        for send in sends:
            self.producer.link.publish(send)
        time.sleep(0.3)
        self.worker.send_signal(signal.SIGCONT)

    def await_answers(self):
        await_true(lambda: not self.harness.book.open_ids(), 60, "all commands are answered")

    def run(self, name, inject, clear, sends):
        self.harness.journal.note("fault", name=name, phase="inject")
        state = inject()
        self.send_at_once(sends)
        count = clear(state)
        self.harness.journal.note("fault", name=name, phase="clear", count=count)
        self.await_answers()

    # --- one culprit -----------------------------------------------------------------------------

    def database(self, client):
        return client[self.worker.environment["ALLOT_MONGODB_DATABASE"]]

    def set_validator(self, validator):
        with self.harness.stack.client() as client:
            self.database(client).command("collMod", "consumers", validator=validator)

    def add_condition(self):
        """Adds a condition to the validator, which rejects the culprit. Returns the validator as it was."""
        with self.harness.stack.client() as client:
            options = next(self.database(client).list_collections(filter={"name": "consumers"}))["options"]
        self.set_validator({"$and": [options["validator"], {"project_id": {"$ne": CULPRIT}}]})
        return options["validator"]

    def lift(self, validator):
        self.await_answers()
        self.set_validator(validator)
        return 1

    def one_culprit(self):
        """Sends the culprit among the others. Once the cause is fixed it is sent again, as an operator replays a dead
        letter."""
        sends = self.make("beside the culprit")
        body = claim_body(self.producer.make_uuid(), HOT[0], CULPRIT)
        sends.insert(CULPRIT_AT, self.producer.make(body, key=CULPRIT, expect="internal"))
        self.run("validator refuses one command", self.add_condition, self.lift, sends)
        self.producer.send(self.producer.make(body, key=CULPRIT))
        self.await_answers()

    # --- failpoints ------------------------------------------------------------------------------

    def fail(self, command, code, mode):
        def inject():
            port = self.harness.stack.primary_port()
            data = {"failCommands": [command], "appName": f"allotd:{self.worker.name}", "errorCode": code}
            with self.harness.stack.node(port) as client:
                return port, client.admin.command("configureFailPoint", "failCommand", data=data, mode=mode)["count"]
        return inject

    def clear(self, state, after_s=0):
        port, before = state
        time.sleep(after_s)
        with self.harness.stack.node(port) as client:
            return client.admin.command("configureFailPoint", "failCommand", mode="off")["count"] - before

    def passing(self, name, code, times):
        def clear(state):
            self.await_answers()
            return self.clear(state)
        self.run(f"refused in passing: {name}", self.fail("insert", code, {"times": times}), clear, self.make(name))

    def lasting(self, name, command, code):
        self.run(name, self.fail(command, code, "alwaysOn"), lambda state: self.clear(state, LASTING_S), self.make(name))


def fill_up(harness, options, _):
    harness.up(1, ["conductor"], 1, settings={"ALLOT_LOG_LEVEL": "debug"})
    harness.start_workers()
    harness.producers[0].seed_data(HOT, TOTAL)
    await_true(lambda: not harness.book.open_ids(), 60, "the providers have inventories")
    refusals = Refusals(harness)
    refusals.one_culprit()
    largest, refused = refused_batches(harness.workers[0])
    for name, (code, times) in PASSING.items():
        refusals.passing(name, code, times)
    for name, (command, code) in LASTING.items():
        refusals.lasting(name, command, code)
    healed = time.monotonic()
    facts = {**harness.settle(healed), "faults_min": 1 + len(PASSING) + len(LASTING),
             "sends_min": GOOD * (1 + len(PASSING) + len(LASTING)), "largest": largest, "refused": refused,
             "summary": [f"the culprit was found in {refused} refused batches, the largest of {largest} commands"]}
    return harness.gather(facts), judge.RULES + [the_culprit_alone_is_dead_lettered, all_others_succeed,
                                             the_culprit_succeeds_once_the_cause_is_fixed, it_is_found_by_bisection]


def refused_batches(worker):
    """(the size of the largest batch that the database rejected, the number of such batches)"""
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


def the_culprit_succeeds_once_the_cause_is_fixed(case):
    said = [judge.code_of(reply["said"]) for reply in case.replies if case.sends[reply["id"]]["key"] == CULPRIT]
    if said != ["internal", "success"]:
        yield f"{CULPRIT}: {said}"


def it_is_found_by_bisection(case):
    if case.facts["largest"] <= GOOD:
        yield f"the largest batch that was refused had {case.facts['largest']} commands, not all {GOOD + 1}"
    if not 2 <= case.facts["refused"] <= REFUSED_MAX:
        yield f"{case.facts['refused']} batches were refused, not 2 to {REFUSED_MAX}"
