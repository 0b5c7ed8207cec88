# SPDX-License-Identifier: Apache-2.0
"""The scenarios, one function each. A scenario returns the case and the rules that it is judged by."""
import collections
import json
import random
import signal
import threading
import time

import backlog
import broker_faults
import broker_frame
import database_clock
import database_load
import database_refusals
import endurance
import expiry
import fillup
import judge
import letters_crash
import worker_ends
from servers import await_true
from producer import HOT, claim_body

USERS = ["conductor", "conductor", "conductor", "team-blue"]
ROUND_GAP_S = (0.3, 1.5)
HOLD_S = (1.0, 5.0)
FAULTS_PER_MINUTE_MIN = 7
ALL_KINDS_FROM_MINUTES = 10
EXTRA_S = 600


class FaultRunner:
    """Runs faults, and clears every fault at the end of the run."""

    def __init__(self, harness, faults):
        self.harness, self.faults = harness, faults

    def run(self, name, hold_s):
        try:
            self.faults.run(name, hold_s)
        except Exception as trouble:  # a fault that cannot be injected is not counted; the run goes on
            self.harness.journal.note("fault", name=name, phase="error", error=repr(trouble))

    def clear_all(self):
        harness = self.harness
        for node in harness.stack.nodes:
            if node.is_running():
                node.send_signal(signal.SIGCONT)
            node.start()
        harness.stack.broker.start()
        harness.stack.rabbitmqctl("await_startup")
        harness.stack.rabbitmqctl("set_vm_memory_high_watermark", "absolute", "1GiB")
        for worker in harness.workers:
            if worker.is_running():
                worker.send_signal(signal.SIGCONT)
            else:
                worker.start()
            worker.clock.write_text("+0\n")
        for proxy in harness.proxies.values():
            if proxy.process.poll() is not None:
                proxy.start()
        self.faults.bind_dead()
        self.faults.primary()
        for port in harness.stack.mongo_ports:
            with harness.stack.node(port) as client:
                client.admin.command("configureFailPoint", "failCommand", mode="off")


def draw(bag, kinds, rng, touched):
    """Takes the next fault from the bag that touches none of `touched`. A bag holds every kind once."""
    if not bag:
        bag.extend(rng.sample(sorted(kinds), len(kinds)))
    for name in bag:
        if not kinds[name][0] & touched:
            bag.remove(name)
            return name
    return None


class Tally:
    """Counts what a run must have: faults that took place, by name, and commands."""

    def __init__(self, harness, kinds, options):
        self.faults, self.sends = collections.Counter(), 0
        self.faults_min = int(FAULTS_PER_MINUTE_MIN * options.minutes)
        self.sends_min = int(options.rate * options.minutes * 60 / 4)
        self.kinds_min = {name: 1 for name in kinds} if options.minutes >= ALL_KINDS_FROM_MINUTES else {}
        harness.journal.listeners.append(self.listen)

    def listen(self, record):
        self.sends += record["t"] == "send"
        if record["t"] == "fault" and record["phase"] == "clear" and record["count"] > 0:
            self.faults[record["name"]] += 1

    def is_enough(self):
        return (self.faults.total() >= self.faults_min and self.sends >= self.sends_min
                and all(self.faults[name] >= least for name, least in self.kinds_min.items()))

    def facts(self):
        return {"faults_min": self.faults_min, "sends_min": self.sends_min, "kinds_min": self.kinds_min}


def chaos(harness, options, faults_of):
    rng = random.Random(options.seed)
    harness.up(3, USERS, options.rate)
    harness.workers[0].environment["ALLOT_MONGODB_TIMEOUT"] = "1s"  # it gives up while the others still wait
    harness.start_workers()
    harness.seed_data()
    faults = faults_of(harness, rng)
    if options.faults:
        faults.kinds = {name: kind for name, kind in faults.kinds.items() if options.faults in name}
    runner, tally = FaultRunner(harness, faults), Tally(harness, faults.kinds, options)
    for producer in harness.producers:
        producer.start()
    bag, end = [], time.monotonic() + 60 * options.minutes
    # A slow machine takes longer for as many faults and commands, within a limit.
    while time.monotonic() < end or not tally.is_enough() and time.monotonic() < end + EXTRA_S:
        time.sleep(rng.uniform(*ROUND_GAP_S))
        names = [draw(bag, faults.kinds, rng, set())]
        if rng.random() < 0.6:
            names.append(draw(bag, faults.kinds, rng, set(faults.kinds[names[0]][0])))
        threads = [threading.Thread(target=runner.run, args=(name, rng.uniform(*HOLD_S))) for name in names if name]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    runner.clear_all()
    healed = time.monotonic()
    harness.stop_load()
    return harness.gather({**harness.settle(healed), **tally.facts()}), judge.RULES


# --- poison ----------------------------------------------------------------------------------------------------------

# Three crashes are counted, each alone. Before them come one without an attempt record, log2 of the batch (100) in
# company, and one for each other worker that took the command before it was a suspect.
CRASHES = (3, 13)


def poison_body(kind, producer, claim):
    """The body of the poison message: worker/service/poison.h says which messages kill a test build."""
    if kind == "read":
        return {"version": 1, "command": "usage.get", "params": {"project_id": "poison"}}
    return claim("poison" if kind == "write" else "poison-decode")


def poison(harness, options, _, kind="write"):
    """One command that crashes every worker, among 100 others: while it is planned, or while it is decoded."""
    harness.up(3, ["conductor"], 1, program="allotd-poison", settings={"ALLOT_AMQP_PREFETCH": "100"})
    for worker in harness.workers:
        worker.start()
    harness.seed_data(cold=False)
    for worker in harness.workers:
        worker.end(signal.SIGTERM)
    producer = harness.producers[0]
    for i in range(101):
        def claim(project, provider=HOT[i % 3]):
            return claim_body(producer.make_uuid(), provider, project)
        body = poison_body(kind, producer, claim) if i == 50 else claim("red")
        producer.send(producer.make(body, key=f"poison-{i}" if i == 50 else f"red-{i}"))
    begun = time.monotonic()
    harness.start_workers()
    settled = harness.settle(begun)
    time.sleep(1)
    crashes = sum(record["t"] == "crash" for record in read_all(harness))
    alive = all(worker.is_running() for worker in harness.workers)
    facts = {**settled, "crashes": crashes, "alive": alive, "idle_limit_s": 60}
    rules = [rule for rule in judge.RULES if rule not in (judge.no_worker_ends_by_itself, judge.enough_was_injected)]
    return harness.gather(facts), rules + [the_poison_alone_is_dead_lettered, good_ones_succeed, the_other_workers_survive]


def poison_read(harness, options, faults):
    return poison(harness, options, faults, "read")


def poison_decode(harness, options, faults):
    return poison(harness, options, faults, "decode")


def read_all(harness):
    import journal
    return journal.read(harness.journal.path)


def the_poison_alone_is_dead_lettered(case):
    letters = {(letter["key"], letter["reason"]) for letter in case.dead}
    if letters != {("poison-50", "attempts_exhausted")}:
        yield f"dead letters: {sorted(map(str, letters))}"


def good_ones_succeed(case):
    for reply in case.replies:
        send = case.sends[reply["id"]]
        if send["key"].startswith("red-") and reply["said"]["status"] != "success":
            yield f"{judge.where(reply)}: {reply['body'][:200]}"


def the_other_workers_survive(case):
    if not case.facts["alive"]:
        yield "a worker is down"
    if not CRASHES[0] <= case.facts["crashes"] <= CRASHES[1]:
        yield f"{case.facts['crashes']} workers crashed, not {CRASHES[0]} to {CRASHES[1]}"


# --- contention ------------------------------------------------------------------------------------------------------

CONTENDERS, CONTENTION_COMMANDS = 8, 10000
RETRIES_PER_COMMAND_MAX = 20


def contention(harness, options, _):
    """8 workers, 3 providers, 10,000 commands."""
    harness.up(CONTENDERS, ["conductor"] * 4, 1, settings={"ALLOT_LOG_LEVEL": "debug", "ALLOT_AMQP_PREFETCH": "64"})
    harness.start_workers()
    harness.producers[0].seed_data(HOT, 1000000)
    threads = [threading.Thread(target=claim_much, args=(producer, CONTENTION_COMMANDS // 4)) for producer in harness.producers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent = time.monotonic()
    facts = {**harness.settle(sent), "idle_limit_s": 60, "sends_min": CONTENTION_COMMANDS,
             "retried": retried(harness)}
    rules = [rule for rule in judge.RULES if rule is not judge.enough_was_injected]
    return harness.gather(facts), rules + [no_dead_letter, retries_are_bounded]


def claim_much(producer, count, chunk=100):
    for start in range(0, count, chunk):
        sends = []
        for i in range(start, min(start + chunk, count)):
            sends.append(producer.make(claim_body(producer.make_uuid(), HOT[i % 3], "red")))
        producer.journal.note_all([dict(send) for send in sends])
        for send in sends:
            producer.link.publish(send)


def retried(harness):
    """How many transactions failed, and how many commands they had."""
    counts = collections.Counter()
    for worker in harness.workers:
        for line in worker.log.read_text(errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("event") == "batch.failed":
                counts["transactions"] += 1
                counts["commands"] += int(entry.get("commands", 0))
    return dict(counts)


def no_dead_letter(case):
    for letter in case.dead[:10]:
        yield f"{judge.where(letter)}: {letter['reason']}"


def retries_are_bounded(case):
    per_command = case.facts["retried"].get("commands", 0) / len(case.sends)
    print(f"chaos: {per_command:.2f} retries a command, {case.facts['retried'].get('transactions', 0)} transactions"
          " failed", flush=True)
    if per_command > RETRIES_PER_COMMAND_MAX:
        yield f"{per_command:.1f} retries a command"


# --- stop and go -----------------------------------------------------------------------------------------------------

STOPS = 100
COUNT_REDELIVERED = """
lists:sum([maps:get(messages_redelivered_total, Counts, 0)
           || {Labels, Counts} <- maps:to_list(rabbit_global_counters:overview()),
              lists:member({queue_type, rabbit_quorum_queue}, Labels)]).
"""


def stop_and_go(harness, options, _):
    """SIGTERM under load, many times; then a rolling restart of all three workers."""
    harness.up(3, USERS, options.rate)
    harness.start_workers()
    harness.seed_data()
    rng = random.Random(options.seed)
    for producer in harness.producers:
        producer.start()
    counted = count_redeliveries_of_a_crash(harness)
    redelivered, in_flight, times = count_redelivered(harness), [], options.times or STOPS
    for _ in range(times):
        time.sleep(rng.uniform(0.2, 2.0))
        in_flight.append(restart(harness, rng.choice(harness.workers), "worker SIGTERM"))
    redelivered = count_redelivered(harness) - redelivered
    await_true(lambda: len(harness.book.open_ids()) < 50, 60, "the backlog is gone")
    rolling_from = harness.journal.written
    for worker in harness.workers:
        restart(harness, worker, "worker SIGTERM, in turn")
        time.sleep(2)
    healed = time.monotonic()
    harness.stop_load()
    facts = {**harness.settle(healed), "faults_min": times + 4, "rolling_from": rolling_from, "sends_min": 100,
             "in_flight": in_flight, "redelivered": redelivered, "counted": counted,
             "summary": [f"{times} SIGTERMs: {redelivered} redeliveries, {sum(in_flight)} commands were in flight; "
                      f"one SIGKILL: {counted} redeliveries"]}
    return harness.gather(facts), judge.RULES + [redeliveries_are_counted, no_more_is_redelivered_than_was_in_flight,
                                            nobody_waits_during_a_rolling_restart]


def count_redeliveries_of_a_crash(harness):
    """Shows that the broker counts redeliveries: kills a worker that holds commands, and returns the count."""
    before, worker = count_redelivered(harness), harness.workers[0]
    harness.journal.note("fault", name="worker SIGKILL", phase="inject")
    worker.send_signal(signal.SIGSTOP)
    time.sleep(1)
    worker.end(signal.SIGKILL)
    worker.start()
    harness.journal.note("fault", name="worker SIGKILL", phase="clear", count=1)
    time.sleep(2)
    return count_redelivered(harness) - before


def count_redelivered(harness):
    """The broker's own count. Only the commands' queue, of all quorum queues, has redeliveries."""
    return int(harness.stack.rabbitmqctl("eval", COUNT_REDELIVERED))


def restart(harness, worker, name):
    """Restarts a worker. Returns how many commands were in flight: unanswered, or sent until it had stopped."""
    harness.journal.note("fault", name=name, phase="inject")
    before, unanswered = len(harness.book.sends), harness.book.count_unanswered()
    harness.journal.note("stop", worker=worker.name, status=worker.end(signal.SIGTERM))
    in_flight = unanswered + len(harness.book.sends) - before
    worker.start()
    harness.journal.note("fault", name=name, phase="clear", count=1)
    return in_flight


def redeliveries_are_counted(case):
    if case.facts["counted"] == 0:
        yield "a worker was killed, and the broker counts no redelivery"


def no_more_is_redelivered_than_was_in_flight(case):
    if case.facts["redelivered"] > sum(case.facts["in_flight"]):
        yield f"{case.facts['redelivered']} redeliveries, {sum(case.facts['in_flight'])} commands were in flight"


def nobody_waits_during_a_rolling_restart(case):
    for id, send in case.sends.items():
        if send["line"] > case.facts["rolling_from"] and case.replied[id]:
            waited = case.replied[id][0]["at"] - send["at"]
            if waited > 5000:
                yield f"{judge.where(send)}: waited {waited} ms"


SCENARIOS = {"chaos": chaos, "poison": poison, "poison-read": poison_read, "poison-decode": poison_decode,
             "contention": contention, "fill-up": fillup.fill_up,
             "stop-and-go": stop_and_go, "reconnect": endurance.reconnect, "soak": endurance.soak,
             "letters-crash": letters_crash.letters_crash,
             "backlog": backlog.backlog, "expiry": expiry.expiry,
             "broker-short": broker_faults.all_short,
             **{kind.name: broker_frame.scenario(kind) for kind in
                (*broker_faults.FAULTS, *database_clock.FAULTS, *database_load.FAULTS, *database_refusals.FAULTS,
                 *worker_ends.FAULTS)}}

SHORT_FORMS = {"broker-short"}  # of several scenarios, for script/test
