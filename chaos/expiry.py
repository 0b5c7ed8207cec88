# SPDX-License-Identifier: Apache-2.0
"""How much slower commands are while outcomes expire as fast as new ones are recorded. The same load, an open loop,
meets a worker whose outcomes expire after a minute, and then, on new servers, one whose outcomes do not expire."""
import collections
import json
import math
import time
import uuid

import pika

import evidence
import judge
from broker_frame import Frame
from load import EXCHANGE, ROUTING_KEY, connect
from victim import body_of, claim, create_provider

RETENTIONS = {"with expiry": "1m", "without expiry": "7d"}  # 1 minute is the shortest
WARM_S = 75  # the retention, and time until as many outcomes expire as are recorded
PROVIDERS = 100
HELD = 1000  # consumers that exist at a time
STEP_S, BURST = 0.002, 20  # answers are heard so often, and after so many commands
FINISH_S = 60
RATIO_MAX = 1.5
EXPIRED_MIN, EXPIRED_MAX = 0.9, 0.01  # of the commands: with and without expiry
RATE_MIN = 0.98  # of the planned rate
PROBLEMS_MAX = 20
USER, QUEUE = "culprit", "culprit.expiry"


class OpenLoop:
    """Sends commands at planned times, whether or not the earlier ones are answered. The time of a command counts from
    its planned time. Consumers are created and deleted, so that the database has as many of them all the time."""

    def __init__(self, uri, rate, providers):
        self.rate, self.providers = rate, providers
        self.connection = connect(uri)
        self.channel = self.connection.channel()
        self.channel.queue_declare(QUEUE, durable=True)
        self.channel.basic_consume(QUEUE, self.hear, auto_ack=True)
        self.waiting = {}  # id -> (planned time, consumer to delete later)
        self.held = collections.deque()
        self.sent, self.measured, self.times, self.problems = 0, False, [], []

    def run(self, seconds, measured):
        """Returns how many commands were sent."""
        self.measured, before, begun = measured, self.sent, time.monotonic()
        planned = math.floor(seconds * self.rate)
        while self.sent - before < planned:
            due = begun + (self.sent - before) / self.rate
            early_s = due - time.monotonic()
            if early_s <= 0:
                self.send(due)
            if early_s > 0 or self.sent % BURST == 0:
                self.connection.process_data_events(min(max(early_s, 0), STEP_S))
        return planned

    def send(self, due):
        self.sent += 1
        consumer = None
        if len(self.held) > HELD:
            body = body_of("allocation.delete", {"consumer_uuid": self.held.popleft(), "consumer_generation": 1})
        else:
            consumer = str(uuid.uuid4())
            body = claim(self.providers[self.sent % len(self.providers)], consumer)
        self.waiting[self.sent] = due if self.measured else None, consumer
        properties = pika.BasicProperties(message_id=f"expiry-{self.sent}", correlation_id=str(self.sent), reply_to=QUEUE,
                                          user_id=USER, delivery_mode=2)
        self.channel.basic_publish(EXCHANGE, ROUTING_KEY, body, properties)

    def hear(self, _channel, _method, properties, body):
        due, consumer = self.waiting.pop(int(properties.correlation_id), (None, None))
        if json.loads(body)["status"] != "success" and len(self.problems) < PROBLEMS_MAX:
            self.problems.append(body.decode()[:300])
        if consumer is not None:
            self.held.append(consumer)
        if due is not None:
            self.times.append(time.monotonic() - due)

    def finish(self):
        end = time.monotonic() + FINISH_S
        while self.waiting and time.monotonic() < end:
            self.connection.process_data_events(0.01)
        if self.waiting:
            self.problems.append(f"{len(self.waiting)} commands have no answer after {FINISH_S} s")
        self.connection.close()

    def percentile_ms(self, part):
        times = sorted(self.times)
        return round(1000 * times[max(0, math.ceil(part * len(times)) - 1)], 1) if times else None


def expired(stack):
    """How many documents the TTL monitor of the primary has deleted."""
    with stack.node(stack.primary_port()) as client:
        return client.admin.command("serverStatus")["metrics"]["ttl"]["deletedDocuments"]


def count_outcomes(frame):
    return frame.in_database(lambda database: database.outcomes.estimated_document_count())


def measure(harness, options, retention):
    """Runs the load on new servers; returns the figures."""
    frame = Frame(harness, options.short)
    frame.up()
    frame.start_worker({"ALLOT_IDEMPOTENCY_RETENTION": retention})
    client = frame.client(USER)
    load = OpenLoop(frame.uri(USER), options.rate, [create_provider(client) for _ in range(PROVIDERS)])
    client.stop()
    load.run(WARM_S, measured=False)
    before, outcomes, begun = expired(harness.stack), count_outcomes(frame), time.monotonic()
    sent = load.run(60 * options.minutes, measured=True)
    figures = {"rate": sent / (time.monotonic() - begun), "sent": sent, "expired": expired(harness.stack) - before,
               "outcomes": (outcomes, count_outcomes(frame))}
    load.finish()
    peak_kb = frame.worker.peak_kb()
    status = frame.end_worker()
    audit = harness.run_ctl("audit")
    harness.stack.down()
    return {**figures, "p50": load.percentile_ms(0.5), "p99": load.percentile_ms(0.99), "max": load.percentile_ms(1),
            "problems": load.problems, "status": status, "peak_kb": peak_kb,
            "audit": (audit.returncode, audit.stdout[-500:] + audit.stderr[-500:])}


def ratio(runs):
    return runs["with expiry"]["p99"] / runs["without expiry"]["p99"]


def describe(name, run):
    return (f"{name}: {run['sent']} commands, {run['rate']:.0f} a second, p50 {run['p50']} ms, p99 {run['p99']} ms, "
            f"maximum {run['max']} ms; {run['expired']} documents expired meanwhile, outcomes {run['outcomes'][0]} before "
            f"and {run['outcomes'][1]} after; peak RSS {run['peak_kb']} kB")


def expiry(harness, options, _):
    runs = {name: measure(harness, options, retention) for name, retention in RETENTIONS.items()}
    facts = {"runs": runs, "short": options.short, "idle_s": 0, "planned": options.rate,
             "commands": sum(run["sent"] for run in runs.values()),
             "summary": [*(describe(name, run) for name, run in runs.items()),
                         f"p99 with expiry / without: {ratio(runs):.2f} (limit {RATIO_MAX})"]}
    return judge.Case([], evidence.NONE, facts), RULES


# --- rules -----------------------------------------------------------------------------------------------------------


def every_command_succeeds(case):
    for name, run in case.facts["runs"].items():
        for problem in run["problems"]:
            yield f"{name}: {problem}"


def outcomes_expire_as_fast_as_they_are_recorded(case):
    """And in the other run none do; fence documents of reads expire in both."""
    runs = case.facts["runs"]
    found = {name: run["expired"] / run["sent"] for name, run in runs.items()}
    if found["with expiry"] < EXPIRED_MIN or found["without expiry"] > EXPIRED_MAX:
        yield f"documents that expired for each command: {found}"


def the_load_was_the_planned_one(case):
    for name, run in case.facts["runs"].items():
        if not case.facts["short"] and run["rate"] < RATE_MIN * case.facts["planned"]:
            yield f"{name}: {run['rate']:.0f} commands a second, of {case.facts['planned']:g}"


def expiry_does_not_slow_commands_down(case):
    if not case.facts["short"] and ratio(case.facts["runs"]) > RATIO_MAX:
        yield f"p99 is {ratio(case.facts['runs']):.2f} times that without expiry (limit {RATIO_MAX})"


def the_workers_end_at_sigterm(case):
    for name, run in case.facts["runs"].items():
        if run["status"] != 0:
            yield f"{name}: the worker ended with {run['status']}"


def the_auditor_agrees(case):
    for name, run in case.facts["runs"].items():
        if run["audit"][0] != 0:
            yield f"{name}: {run['audit']}"


RULES = [every_command_succeeds, outcomes_expire_as_fast_as_they_are_recorded, the_load_was_the_planned_one,
         expiry_does_not_slow_commands_down, the_workers_end_at_sigterm, the_auditor_agrees]
