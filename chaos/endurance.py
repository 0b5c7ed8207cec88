# SPDX-License-Identifier: Apache-2.0
"""Leaks: a thousand reconnects, and hours of load, must not add up."""
import random
import statistics
import threading
import time

import judge
import steady
from servers import await_true

KB_OF_MIB = 1024

# --- reconnect -------------------------------------------------------------------------------------------------------

CUTS = 1000
BROKER_CUTS_IN_A_ROUND = 4  # then one cut of the database connections, which take longer to return
WARM_UP_CUTS = 20
BACK_S = 30
DESCRIPTORS_MORE_MAX, THREADS_MORE_MAX, GROWTH_KB_MAX = 3, 0, 8 * KB_OF_MIB


class Footprint:
    """Resources of an idle worker: the minimum of some samples, since connections come and go."""

    def __init__(self, worker, looks=30):
        seen = []
        for _ in range(looks):
            seen.append((worker.count_descriptors(), worker.count_threads(), worker.resident_kb()))
            time.sleep(0.1)
        self.descriptors, self.threads, self.resident_kb = (min(column) for column in zip(*seen))

    def __str__(self):
        return f"{self.descriptors} descriptors, {self.threads} threads, {self.resident_kb} kB"


class Cutter:
    """Cuts the connections of one worker. A cut counts once there is a new connection and an answer came by it."""

    def __init__(self, harness, rng):
        self.harness, self.worker, self.rng = harness, harness.workers[0], rng

    def ports(self, side):
        return [self.harness.stack.primary_port()] if side == "database" else [self.harness.stack.amqp_port]

    def cut(self, side):
        harness, ports = self.harness, self.ports(side)
        before = self.worker.links(ports)
        harness.proxies[0, side].flap(self.rng.random() < 0.5)
        await_true(lambda: self.worker.links(ports) - before, BACK_S, f"a new link to the {side}", 0.01)
        replies = harness.book.replies.total()
        await_true(lambda: harness.book.replies.total() > replies, BACK_S, "an answer", 0.01)

    def cut_often(self, times):
        for number in range(times):
            self.cut("broker" if number % (BROKER_CUTS_IN_A_ROUND + 1) < BROKER_CUTS_IN_A_ROUND else "database")


def reconnect(harness, options, _):
    harness.up(1, ["conductor", "conductor", "team-blue"], options.rate)
    harness.start_workers()
    harness.seed_data()
    cutter, times = Cutter(harness, random.Random(options.seed)), options.times or CUTS
    for producer in harness.producers:
        producer.start()
    cutter.cut_often(WARM_UP_CUTS)
    time.sleep(2)
    first = Footprint(cutter.worker)
    harness.journal.note("fault", name="links flap", phase="inject")
    begun = time.monotonic()
    cutter.cut_often(times)
    took_s = time.monotonic() - begun
    harness.journal.note("fault", name="links flap", phase="clear", count=times)
    time.sleep(2)
    last = Footprint(cutter.worker)
    healed = time.monotonic()
    harness.stop_load()
    facts = {**harness.settle(healed), "faults_min": 1, "first": first, "last": last,
             "summary": [f"{times} cuts in {took_s:.0f} s, each followed by an answer; before: {first}; after: {last}"]}
    return harness.gather(facts), judge.RULES + [nothing_is_held_back]


def nothing_is_held_back(case):
    first, last = case.facts["first"], case.facts["last"]
    for what, more, most in (("descriptors", last.descriptors - first.descriptors, DESCRIPTORS_MORE_MAX),
                             ("threads", last.threads - first.threads, THREADS_MORE_MAX),
                             ("kB", last.resident_kb - first.resident_kb, GROWTH_KB_MAX)):
        if more > most:
            yield f"{more} {what} more than before, of at most {most}"


# --- soak ------------------------------------------------------------------------------------------------------------

SAMPLE_S, SAMPLES_MIN = 2, 16
WARM_UP_S = 120  # at most half of the run
GROWTH_PART_MAX, GROWTH_LEAST_KB = 0.05, 4 * KB_OF_MIB
REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer",
           "ERROR: UndefinedBehaviorSanitizer")
SANITIZER_OPTIONS = {"ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=16", "UBSAN_OPTIONS": "print_stacktrace=1"}
VALGRIND = ["valgrind", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
            "--error-exitcode=99", "--num-callers=30"]
FINISH_S = 30
VALGRIND_SETTINGS = {"ALLOT_AMQP_HEARTBEAT": "20s"}


class Sampler(threading.Thread):
    """The worker's resident memory and descriptors, every few seconds."""

    def __init__(self, worker):
        super().__init__(daemon=True)
        self.worker, self.over, self.seen = worker, threading.Event(), []

    def run(self):
        while not self.over.wait(SAMPLE_S):
            try:
                self.seen.append((self.worker.resident_kb(), self.worker.count_descriptors()))
            except (OSError, AttributeError):
                return  # the worker has ended; another rule reports it


def soak(harness, options, _):
    harness.up(1, [], 1, settings={**SANITIZER_OPTIONS, **(VALGRIND_SETTINGS if options.valgrind else {})})
    worker, tool_log = harness.workers[0], harness.folder / "valgrind.log"
    if options.valgrind:
        worker.tool = [*VALGRIND, f"--log-file={tool_log}"]
    harness.start_workers()
    load = steady.Load(harness.stack.env["ALLOT_AMQP_URI_CONDUCTOR"], options.seed, options.rate)
    sampler = Sampler(worker)
    sampler.start()
    load.run(60 * options.minutes)
    sampler.over.set()
    sampler.join()
    settled = load.finish(FINISH_S)
    harness.settle(time.monotonic())
    facts = {"idle_s": settled, "open": load.open_ids(), "queue": harness.queue_length(), "commands": load.sent,
             "sends_min": int(options.rate * 60 * options.minutes / 4), "problems": load.problems,
             "seen": sampler.seen, "dead": (load.garbage, harness.book.dead.total()),
             "left": load.count_left(harness.stack.client)}
    facts["summary"] = [f"{load.sent} commands, {load.sent / 60 / options.minutes:.0f} a second, {load.lives} lives",
                     describe(sampler.seen)]
    case = harness.gather(facts, look=False)
    facts["logs"] = [path.read_text(errors="replace") for path in (worker.log, tool_log) if path.exists()]
    facts["under_valgrind"] = options.valgrind
    case.facts.update(facts)
    return case, [every_answer_was_the_expected_one, all_garbage_is_dead_lettered, the_database_is_empty_again, memory_is_flat,
                  descriptors_are_flat, no_tool_reports_an_error, judge.nothing_is_left_in_the_queue,
                  judge.all_is_answered_in_time, judge.no_worker_ends_by_itself, judge.the_auditor_agrees,
                  enough_was_done]


def quarters(seen):
    """(median memory, most descriptors) of the second and of the last quarter, without the warm-up."""
    seen = seen[min(WARM_UP_S // SAMPLE_S, len(seen) // 2):]
    quarter = len(seen) // 4
    parts = seen[quarter:2 * quarter], seen[-quarter:]
    return [(statistics.median(kb for kb, _ in part), max(count for _, count in part)) for part in parts]


def describe(seen):
    if len(seen) < SAMPLES_MIN:
        return f"{len(seen)} samples of memory"
    (early_kb, early), (late_kb, late) = quarters(seen)
    return (f"memory {early_kb:.0f} kB in the second quarter, {late_kb:.0f} kB in the last, at most "
            f"{max(kb for kb, _ in seen)} kB; descriptors {early}, {late}; {len(seen)} samples")


def memory_is_flat(case):
    if len(case.facts["seen"]) < SAMPLES_MIN:
        yield f"fewer than {SAMPLES_MIN} samples"
        return
    (early_kb, _), (late_kb, _) = quarters(case.facts["seen"])
    most = early_kb + max(GROWTH_LEAST_KB, early_kb * GROWTH_PART_MAX)
    if late_kb > most:
        yield f"{late_kb:.0f} kB in the last quarter, {early_kb:.0f} kB in the second: more than {most:.0f}"


def descriptors_are_flat(case):
    if len(case.facts["seen"]) >= SAMPLES_MIN:
        (_, early), (_, late) = quarters(case.facts["seen"])
        if late > early + DESCRIPTORS_MORE_MAX:
            yield f"{late} descriptors in the last quarter, {early} in the second"


def every_answer_was_the_expected_one(case):
    yield from case.facts["problems"]


def all_garbage_is_dead_lettered(case):
    sent, dead = case.facts["dead"]
    if sent != dead:
        yield f"{sent} pieces of garbage, {dead} dead letters"


def the_database_is_empty_again(case):
    """Every life of the load deletes what it created."""
    for name, count in case.facts["left"].items():
        if count:
            yield f"{count} {name} are left"


def no_tool_reports_an_error(case):
    for log in case.facts["logs"]:
        for line in log.splitlines():
            if any(report in line for report in REPORTS):
                yield line
    if case.facts["under_valgrind"]:
        summary = case.facts["logs"][-1]
        if "ERROR SUMMARY: 0 errors" not in summary:
            yield summary[-1500:]
        if "All heap blocks were freed" not in summary and "definitely lost: 0 bytes" not in summary:
            yield "valgrind's leak summary is not there, or has definite leaks"


def enough_was_done(case):
    if case.facts["commands"] < case.facts["sends_min"]:
        yield f"{case.facts['commands']} commands, of at least {case.facts['sends_min']}"
