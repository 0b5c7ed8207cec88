# SPDX-License-Identifier: Apache-2.0
"""Many commands of two producers wait in the queue when the worker starts. It measures the rate, the memory and what
each of the two gets, and checks in the database that each command has one outcome, and none an effect after its
deadline.

The commands are claims with a consumer each, numbered in the order in which they stand in the queue. In the first part
the producers are mixed, ten commands of the large one and then one of the small one; then the rest of the large one
comes, and behind it the rest of the small one. One connection publishes all of them, so that the order is certain, and
one connection hears all answers."""
import array
import collections
import json
import random
import statistics
import threading
import time
import uuid

import bson
import pika

import evidence
import journal as journals
import judge
from broker_frame import DATABASE, Frame
from load import EXCHANGE, ROUTING_KEY, connect
from servers import await_true
from victim import claim, create_provider

COMMANDS, COMMANDS_SHORT = 200_000, 4_000
LARGE, SMALL = "culprit", "bystander"
MIXED_PART, LARGE_PART = 0.55, 0.25  # of all commands: mixed, then the large producer; the rest is the small one
MIX = 11  # every so many commands of the mixed part, one is of the small producer
PROVIDERS = 20
WINDOW = 1500  # the default of amqp.prefetch
PEAK_MB = 256
STUCK_S = 60  # without an answer
SAMPLE = 200  # of every so many commands, the answer is compared with the outcome
CHUNK = 1000  # documents of one query
PLAN_MS = 5000  # from the look at the deadline, when the batch is planned, until `at` is taken, when it is written
HOUR_MS = 3600_000
PREFIX = "backlog-"
FIRST_CONSUMER = 0xba << 120
SUCCESS, LATE = "success", "deadline_exceeded"


class Plan:
    """Which command has which number, producer and deadline."""

    def __init__(self, count, seed, providers):
        self.count, self.providers, self.random = count, providers, random.Random(seed)
        self.mixed, self.behind = int(count * MIXED_PART), int(count * (MIXED_PART + LARGE_PART))
        self.deadlines = array.array("q", bytes(8 * count))  # 0: none

    def producer(self, number):
        if number < self.mixed:
            return SMALL if number % MIX == MIX - 1 else LARGE
        return LARGE if number < self.behind else SMALL

    def consumer(self, number):
        return str(uuid.UUID(int=FIRST_CONSUMER + number))

    def set_deadline(self, number, now_ms):
        """Of 20 commands, one has a deadline that passes before the worker starts, one that may pass while the worker
        is at it, one that does not pass."""
        self.deadlines[number] = {3: now_ms + 1000, 7: now_ms + self.random.randint(self.count // 40, self.count // 4),
                                  13: now_ms + HOUR_MS}.get(number % 20, 0)

    def with_deadline(self):
        return [number for number in range(self.count) if self.deadlines[number]]

    def key(self, number):
        return f"{PREFIX}{number}"

    def outcome_id(self, number):
        return {"principal": self.producer(number), "key": self.key(number)}

    def queue(self, producer):
        return f"{producer}.backlog"

    def publish(self, channel):
        for number in range(self.count):
            now_ms, producer = journals.now_ms(), self.producer(number)
            self.set_deadline(number, now_ms)
            deadline = self.deadlines[number]
            properties = pika.BasicProperties(
                message_id=self.key(number), correlation_id=str(number), reply_to=self.queue(producer),
                user_id=producer, delivery_mode=2, headers={"x-allot-deadline": deadline} if deadline else None)
            body = claim(self.providers[number % len(self.providers)], self.consumer(number))
            channel.basic_publish(EXCHANGE, ROUTING_KEY, body, properties, mandatory=True)


class Ear(threading.Thread):
    """Hears the answers of both producers, in the order in which the worker gives them."""

    def __init__(self, uri, plan):
        super().__init__(daemon=True)
        self.uri, self.plan = uri, plan
        self.order, self.at_ms = array.array("q"), array.array("q")  # number of each answer, and when it came
        self.codes = [None] * plan.count
        self.bodies = {}  # of a sample
        self.over, self.ready = threading.Event(), threading.Event()

    def run(self):
        connection = connect(self.uri)
        channel = connection.channel()
        for producer in (LARGE, SMALL):
            channel.queue_declare(self.plan.queue(producer), durable=True)
            channel.basic_consume(self.plan.queue(producer), self.hear, auto_ack=True)
        self.ready.set()
        while not self.over.is_set():
            connection.process_data_events(0.1)
        connection.close()

    def hear(self, _channel, _method, properties, body):
        number, said = int(properties.correlation_id), json.loads(body)
        self.order.append(number)
        self.at_ms.append(journals.now_ms())
        self.codes[number] = SUCCESS if said["status"] == SUCCESS else said["error"]["code"]
        if number % SAMPLE == 0:
            self.bodies[number] = body.decode()

    def wait(self):
        """Until each command has an answer, or nothing has come for STUCK_S."""
        heard, since = 0, time.monotonic()
        while None in self.codes and time.monotonic() < since + STUCK_S:
            if len(self.order) > heard:
                heard, since = len(self.order), time.monotonic()
            time.sleep(0.2)

    def leads(self, numbers):
        """How many places before its place in the queue each of these commands was answered."""
        places = {number: place for place, number in enumerate(self.order)}
        return [number - places[number] for number in numbers if number in places]


# --- what the answers say --------------------------------------------------------------------------------------------


def wrong_answers(plan, ear):
    counts = collections.Counter(ear.order)
    for number in range(plan.count):
        if counts[number] != 1:
            yield f"{plan.key(number)} has {counts[number]} answers"


def wrong_codes(plan, ear, started_ms):
    """A command is late for certain if its deadline passed before the worker started, and not if it was answered before
    it."""
    for number, at_ms in zip(ear.order, ear.at_ms):
        deadline, code = plan.deadlines[number], ear.codes[number]
        allowed = {SUCCESS, LATE}
        if deadline == 0 or at_ms < deadline:
            allowed = {SUCCESS}
        elif deadline < started_ms:
            allowed = {LATE}
        if code not in allowed:
            yield f"{plan.key(number)}, deadline {deadline}, answered at {at_ms}: {code}"


# --- what the database says ------------------------------------------------------------------------------------------


def chunks(numbers):
    numbers = list(numbers)
    return [numbers[start:start + CHUNK] for start in range(0, len(numbers), CHUNK)]


def outcomes_of(database, plan, numbers):
    """(number, outcome) of each of these commands that has one."""
    for chunk in chunks(numbers):
        found = database.outcomes.find({"_id": {"$in": [plan.outcome_id(number) for number in chunk]}})
        for outcome in found:
            yield int(outcome["_id"]["key"].removeprefix(PREFIX)), outcome


def late_effects(database, plan):
    """Of all commands with a deadline: an effect without a success, or one that was written after the deadline."""
    numbers = plan.with_deadline()
    outcomes = dict(outcomes_of(database, plan, numbers))
    for chunk in chunks(numbers):
        ids = {bson.Binary.from_uuid(uuid.UUID(plan.consumer(number))): number for number in chunk}
        there = {ids[bson.Binary(document["_id"], 4)] for document in
                 database.consumers.find({"_id": {"$in": list(ids)}}, {"_id": 1})}
        for number in chunk:
            outcome = outcomes.get(number)
            if outcome is None or (outcome["code"] == SUCCESS) != (number in there):
                yield f"{plan.key(number)}: outcome {outcome and outcome['code']}, consumer {number in there}"
            elif outcome["code"] == SUCCESS and milliseconds(outcome["at"]) > plan.deadlines[number] + PLAN_MS:
                yield f"{plan.key(number)}: applied at {outcome['at']}, deadline {plan.deadlines[number]}"


def milliseconds(moment):
    return int(moment.timestamp() * 1000)


def wrong_totals(database, ear):
    """Outcomes by code, and consumers, as the answers say."""
    rows = database.outcomes.aggregate([{"$match": {"_id.key": {"$regex": f"^{PREFIX}"}}},
                                        {"$group": {"_id": "$code", "count": {"$sum": 1}}}])
    recorded, answered = {row["_id"]: row["count"] for row in rows}, dict(collections.Counter(ear.codes))
    if recorded != answered:
        yield f"outcomes {recorded}, answers {answered}"
    consumers = database.consumers.count_documents({"generation": 1})
    if consumers != answered.get(SUCCESS, 0):
        yield f"{consumers} consumers of generation 1, {answered.get(SUCCESS, 0)} successes"


def wrong_transactions(client, plan):
    """From the oplog: each outcome is inserted once, none is removed, and no effect is without an outcome."""
    times = bytearray(plan.count)
    for transaction in evidence.transactions(client, DATABASE):
        for outcome in transaction.inserted:
            key = outcome["_id"]["key"]
            if key.startswith(PREFIX):
                times[int(key.removeprefix(PREFIX))] += 1
        if transaction.removed:
            yield f"a transaction removes or changes outcomes: {transaction.removed[:3]}"
        if transaction.effects and not transaction.inserted:
            yield f"a transaction changes {sorted(transaction.effects)} and records nothing"
    for number in range(plan.count):
        if times[number] != 1:
            yield f"{plan.key(number)} is recorded in {times[number]} transactions"


def wrong_bodies(database, plan, ear):
    for number, outcome in outcomes_of(database, plan, ear.bodies):
        if outcome["body"] != ear.bodies[number]:
            yield f"{plan.key(number)}: answered {ear.bodies[number][:200]}, recorded {outcome['body'][:200]}"


# --- the scenario ----------------------------------------------------------------------------------------------------


def prepare(frame, seed, count):
    """Creates the providers, ends the worker, and publishes all commands. Returns the plan."""
    frame.start_worker({})
    client = frame.client(LARGE)
    plan = Plan(count, seed, [create_provider(client) for _ in range(PROVIDERS)])
    client.stop()
    frame.end_worker()
    frame.stack.rabbitmqctl("set_user_tags", "tester", "impersonator")  # publishes for both producers
    connection = connect(frame.uri("tester"))
    plan.publish(connection.channel())
    connection.close()
    await_true(lambda: frame.count_all() == count, STUCK_S, "all commands are in the queue")
    return plan


def middle(values):
    return round(statistics.median(values)) if values else None


def measure(plan, ear, begun_ms):
    """The figures, and sentences about them."""
    mixed = {producer: ear.leads(number for number in range(plan.mixed) if plan.producer(number) == producer)
             for producer in (LARGE, SMALL)}
    first = next((place for place, number in enumerate(ear.order) if number >= plan.behind), None)
    seconds = (ear.at_ms[-1] - ear.at_ms[0]) / 1000 if len(ear.order) > 1 else 0
    codes = collections.Counter(ear.codes[number] for number in plan.with_deadline())
    lines = [
        f"{len(ear.order)} answers, {len(ear.order) / max(seconds, 0.001):.0f} a second; the first "
        f"{(ear.at_ms[0] - begun_ms) / 1000 if ear.at_ms else 0:.1f} s after the start of the worker",
        f"mixed {MIX - 1}:1: a command of the small producer is answered {middle(mixed[SMALL])} places before its place in "
        f"the queue, one of the large producer {middle(mixed[LARGE])} (medians); the most is "
        f"{max(mixed[SMALL] + mixed[LARGE], default=None)}, with a window of {WINDOW}",
        f"one behind the other: the small producer's first answer is number {first}, its place in the queue {plan.behind}",
        f"of {len(plan.with_deadline())} commands with a deadline: {dict(codes)}"]
    return {"leads": {producer: middle(found) for producer, found in mixed.items()},
            "most": max(mixed[SMALL] + mixed[LARGE], default=0), "lines": lines}


def look(frame, plan, ear, started_ms):
    """The violations of each rule."""
    with frame.stack.client(readConcernLevel="majority", tz_aware=True) as client:
        database = client[DATABASE]
        return {"answers": list(wrong_answers(plan, ear)), "codes": list(wrong_codes(plan, ear, started_ms)),
                "late": list(late_effects(database, plan)), "totals": list(wrong_totals(database, ear)),
                "transactions": list(wrong_transactions(client, plan)),
                "bodies": list(wrong_bodies(database, plan, ear))}


def backlog(harness, options, _):
    frame = Frame(harness, options.short)
    frame.up()
    plan = prepare(frame, options.seed, options.times or (COMMANDS_SHORT if options.short else COMMANDS))
    ear = Ear(frame.uri("tester"), plan)
    ear.start()
    ear.ready.wait()
    time.sleep(2)  # the deadlines that pass before the start
    started_ms = journals.now_ms()
    frame.start_worker({})
    ear.wait()
    peak_kb = frame.worker.peak_kb()
    queue = frame.count_all()
    status = frame.end_worker()
    ear.over.set()
    ear.join()
    audit = harness.run_ctl("audit")
    figures = measure(plan, ear, started_ms)
    facts = {"found": look(frame, plan, ear, started_ms), "queue": queue, "status": status, "peak_kb": peak_kb,
             "audit": (audit.returncode, audit.stdout[-500:] + audit.stderr[-500:]), "idle_s": 0,
             "commands": plan.count, "leads": figures["leads"], "most": figures["most"],
             "summary": [*figures["lines"], f"worker: peak RSS {peak_kb} kB"]}
    return judge.Case([], evidence.NONE, facts), RULES


# --- rules -----------------------------------------------------------------------------------------------------------


def every_command_has_one_answer(case):
    yield from case.facts["found"]["answers"]


def late_commands_are_refused_and_no_others(case):
    yield from case.facts["found"]["codes"]


def nothing_is_applied_after_its_deadline(case):
    yield from case.facts["found"]["late"]


def each_command_has_one_outcome(case):
    yield from case.facts["found"]["totals"]
    yield from case.facts["found"]["transactions"]


def answers_say_what_is_on_record(case):
    yield from case.facts["found"]["bodies"]


def the_small_producer_overtakes_within_the_window(case):
    """It gets its turn among the commands that the worker holds, and only among these."""
    leads = case.facts["leads"]
    if leads[SMALL] is None or leads[LARGE] is None or leads[SMALL] <= leads[LARGE]:
        yield f"medians of the places gained: {leads}"
    if case.facts["most"] > WINDOW:
        yield f"a command was answered {case.facts['most']} places before its place in the queue"


def memory_is_bounded(case):
    if case.facts["peak_kb"] > PEAK_MB * 1024:
        yield f"peak RSS {case.facts['peak_kb'] // 1024} MiB (limit {PEAK_MB})"


def the_worker_ends_at_sigterm(case):
    if case.facts["status"] != 0:
        yield f"the worker ended with {case.facts['status']}"


RULES = [every_command_has_one_answer, late_commands_are_refused_and_no_others, nothing_is_applied_after_its_deadline,
         each_command_has_one_outcome, answers_say_what_is_on_record, the_small_producer_overtakes_within_the_window,
         memory_is_bounded, the_worker_ends_at_sigterm, judge.nothing_is_left_in_the_queue, judge.the_auditor_agrees]
