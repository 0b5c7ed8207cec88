# SPDX-License-Identifier: Apache-2.0
"""What is done in a run, one function each: -> (the case, the rules it is judged by)."""
import collections
import json
import random
import signal
import threading
import time

import endurance
import fillup
import judge
from harness import await_true
from producer import HOT, claim_body

USERS = ["conductor", "conductor", "conductor", "team-blue"]
ROUND_GAP_S = (0.3, 1.5)
HOLD_S = (1.0, 5.0)
FAULTS_PER_MINUTE_MIN = 7
ALL_KINDS_FROM_MINUTES = 10


class Healer:
    """Runs the faults, and makes sure at the end that none is left."""

    def __init__(self, lab, faults):
        self.lab, self.faults = lab, faults

    def run(self, name, hold_s):
        try:
            self.faults.run(name, hold_s)
        except Exception as trouble:  # a fault that could not be injected does not count, and ends no run
            self.lab.journal.note("fault", name=name, phase="error", error=repr(trouble))

    def heal_all(self):
        lab = self.lab
        for node in lab.stack.nodes:
            if node.is_running():
                node.send_signal(signal.SIGCONT)
            node.start()
        lab.stack.broker.start()
        lab.stack.rabbitmqctl("await_startup")
        lab.stack.rabbitmqctl("set_vm_memory_high_watermark", "absolute", "1GiB")
        for worker in lab.workers:
            if worker.is_running():
                worker.send_signal(signal.SIGCONT)
            else:
                worker.start()
            worker.clock.write_text("+0\n")
        for proxy in lab.proxies.values():
            if proxy.process.poll() is not None:
                proxy.start()
        self.faults.as_operator(lambda channel: channel.queue_bind("allot.dead", "allot.dead", ""))
        self.faults.primary()
        for port in lab.stack.mongo_ports:
            with lab.stack.node(port) as client:
                client.admin.command("configureFailPoint", "failCommand", mode="off")


def draw(bag, kinds, rng, touched):
    """The next of the bag that touches none of these; a bag holds every kind once."""
    if not bag:
        bag.extend(rng.sample(sorted(kinds), len(kinds)))
    for name in bag:
        if not kinds[name][0] & touched:
            bag.remove(name)
            return name
    return None


def chaos(lab, options, faults_of):
    rng = random.Random(options.seed)
    lab.up(3, USERS, options.rate)
    lab.workers[0].environment["ALLOT_MONGODB_TIMEOUT"] = "1s"  # it gives up where the others still wait
    lab.start_workers()
    lab.stock()
    faults = faults_of(lab, rng)
    if options.faults:
        faults.kinds = {name: kind for name, kind in faults.kinds.items() if options.faults in name}
    healer = Healer(lab, faults)
    for producer in lab.producers:
        producer.start()
    bag, end = [], time.monotonic() + 60 * options.minutes
    while time.monotonic() < end:
        time.sleep(rng.uniform(*ROUND_GAP_S))
        names = [draw(bag, faults.kinds, rng, set())]
        if rng.random() < 0.6:
            names.append(draw(bag, faults.kinds, rng, set(faults.kinds[names[0]][0])))
        threads = [threading.Thread(target=healer.run, args=(name, rng.uniform(*HOLD_S))) for name in names if name]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    healer.heal_all()
    healed = time.monotonic()
    lab.stop_load()
    kinds_min = {name: 1 for name in faults.kinds} if options.minutes >= ALL_KINDS_FROM_MINUTES else {}
    facts = {"settled_s": lab.settle(healed), "open": lab.book.open_ids(), "queue": lab.queue_length(),
             "faults_min": int(FAULTS_PER_MINUTE_MIN * options.minutes), "kinds_min": kinds_min,
             "sends_min": int(options.rate * options.minutes * 60 / 4)}
    return lab.gather(facts), judge.RULES


# --- poison ----------------------------------------------------------------------------------------------------------

# Three that are counted, and at most two before them, with other commands in the batch, which are not.
DEATHS = (3, 5)


def poison(lab, options, _):
    """One command on which every worker dies, among 100 others."""
    lab.up(3, ["conductor"], 1, program="allotd-poison", settings={"ALLOT_AMQP_PREFETCH": "100"})
    for worker in lab.workers:
        worker.start()
    lab.stock(cold=False)
    for worker in lab.workers:
        worker.end(signal.SIGTERM)
    producer = lab.producers[0]
    for i in range(101):
        project = "poison" if i == 50 else "red"
        producer.send(producer.make(claim_body(producer.make_uuid(), HOT[i % 3], project), key=f"{project}-{i}"))
    begun = time.monotonic()
    lab.start_workers()
    settled = lab.settle(begun)
    time.sleep(1)
    deaths = sum(record["t"] == "crash" for record in read_all(lab))
    alive = all(worker.is_running() for worker in lab.workers)
    facts = {"settled_s": settled, "open": lab.book.open_ids(), "queue": lab.queue_length(), "deaths": deaths,
             "alive": alive, "settle_limit_s": 60}
    rules = [rule for rule in judge.RULES if rule not in (judge.no_worker_ends_by_itself, judge.enough_was_injected)]
    return lab.gather(facts), rules + [the_poison_alone_is_dead_lettered, good_ones_succeed, the_fleet_lives]


def read_all(lab):
    import journal
    return journal.read(lab.journal.path)


def the_poison_alone_is_dead_lettered(case):
    letters = {(letter["key"], letter["reason"]) for letter in case.dead}
    if letters != {("poison-50", "attempts_exhausted")}:
        yield f"dead letters: {sorted(map(str, letters))}"


def good_ones_succeed(case):
    for reply in case.replies:
        send = case.sends[reply["id"]]
        if send["key"].startswith("red-") and reply["said"]["status"] != "success":
            yield f"{judge.where(reply)}: {reply['body'][:200]}"


def the_fleet_lives(case):
    if not case.facts["alive"]:
        yield "a worker is down"
    if not DEATHS[0] <= case.facts["deaths"] <= DEATHS[1]:
        yield f"{case.facts['deaths']} workers died, not {DEATHS[0]} to {DEATHS[1]}"


# --- contention ------------------------------------------------------------------------------------------------------

CONTENDERS, CONTENTION_COMMANDS = 8, 10000
RETRIES_PER_COMMAND_MAX = 20


def contention(lab, options, _):
    """8 workers, 3 providers, 10,000 commands."""
    lab.up(CONTENDERS, ["conductor"] * 4, 1, settings={"ALLOT_LOG_LEVEL": "debug", "ALLOT_AMQP_PREFETCH": "64"})
    lab.start_workers()
    lab.producers[0].stock(HOT, 1000000)
    threads = [threading.Thread(target=claim_much, args=(producer, CONTENTION_COMMANDS // 4)) for producer in lab.producers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent = time.monotonic()
    facts = {"settled_s": lab.settle(sent), "open": lab.book.open_ids(), "queue": lab.queue_length(),
             "settle_limit_s": 60, "sends_min": CONTENTION_COMMANDS, "retried": retried(lab)}
    rules = [rule for rule in judge.RULES if rule is not judge.enough_was_injected]
    return lab.gather(facts), rules + [no_dead_letter, retries_are_bounded]


def claim_much(producer, count, chunk=100):
    for start in range(0, count, chunk):
        sends = []
        for i in range(start, min(start + chunk, count)):
            sends.append(producer.make(claim_body(producer.make_uuid(), HOT[i % 3], "red")))
        producer.journal.note_all([dict(send) for send in sends])
        for send in sends:
            producer.link.publish(send)


def retried(lab):
    """How many commands stood in transactions that did not go through, and how many such transactions there were."""
    counts = collections.Counter()
    for worker in lab.workers:
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
          " did not go through", flush=True)
    if per_command > RETRIES_PER_COMMAND_MAX:
        yield f"{per_command:.1f} retries a command"


# --- stop and go -----------------------------------------------------------------------------------------------------

STOPS = 100
COUNT_REDELIVERED = """
lists:sum([maps:get(messages_redelivered_total, Counts, 0)
           || {Labels, Counts} <- maps:to_list(rabbit_global_counters:overview()),
              lists:member({queue_type, rabbit_quorum_queue}, Labels)]).
"""


def stop_and_go(lab, options, _):
    """SIGTERM under load, again and again; then all three in turn, with nobody waiting."""
    lab.up(3, USERS, options.rate)
    lab.start_workers()
    lab.stock()
    rng = random.Random(options.seed)
    for producer in lab.producers:
        producer.start()
    counted = count_what_a_death_gives_back(lab)
    redelivered, in_flight, times = count_redelivered(lab), [], options.times or STOPS
    for _ in range(times):
        time.sleep(rng.uniform(0.2, 2.0))
        in_flight.append(restart(lab, rng.choice(lab.workers), "worker SIGTERM"))
    redelivered = count_redelivered(lab) - redelivered
    await_true(lambda: len(lab.book.open_ids()) < 50, 60, "the backlog is gone")
    rolling_from = lab.journal.written
    for worker in lab.workers:
        restart(lab, worker, "worker SIGTERM, in turn")
        time.sleep(2)
    healed = time.monotonic()
    lab.stop_load()
    facts = {"settled_s": lab.settle(healed), "open": lab.book.open_ids(), "queue": lab.queue_length(),
             "faults_min": times + 4, "rolling_from": rolling_from, "sends_min": 100, "in_flight": in_flight,
             "redelivered": redelivered, "counted": counted,
             "told": [f"{times} SIGTERMs: {redelivered} redeliveries, {sum(in_flight)} commands were in flight; "
                      f"one SIGKILL: {counted} redeliveries"]}
    return lab.gather(facts), judge.RULES + [redeliveries_are_counted, no_more_comes_again_than_was_in_flight,
                                            nobody_waits_while_they_roll]


def count_what_a_death_gives_back(lab):
    """To see that the count below is one: what a worker had been given and could not begin comes again."""
    before, worker = count_redelivered(lab), lab.workers[0]
    lab.journal.note("fault", name="worker SIGKILL", phase="inject")
    worker.send_signal(signal.SIGSTOP)
    time.sleep(1)
    worker.end(signal.SIGKILL)
    worker.start()
    lab.journal.note("fault", name="worker SIGKILL", phase="heal", count=1)
    time.sleep(2)
    return count_redelivered(lab) - before


def count_redelivered(lab):
    """By the broker's own count. Of its quorum queues only the commands' has redeliveries."""
    return int(lab.stack.rabbitmqctl("eval", COUNT_REDELIVERED))


def restart(lab, worker, name):
    """-> how many commands were sent and not answered when it was told to stop, or were sent until it had."""
    lab.journal.note("fault", name=name, phase="inject")
    before, unanswered = len(lab.book.sends), lab.book.count_unanswered()
    lab.journal.note("stop", worker=worker.name, status=worker.end(signal.SIGTERM))
    in_flight = unanswered + len(lab.book.sends) - before
    worker.start()
    lab.journal.note("fault", name=name, phase="heal", count=1)
    return in_flight


def redeliveries_are_counted(case):
    if case.facts["counted"] == 0:
        yield "a worker was killed, and the broker counts no redelivery"


def no_more_comes_again_than_was_in_flight(case):
    if case.facts["redelivered"] > sum(case.facts["in_flight"]):
        yield f"{case.facts['redelivered']} redeliveries, {sum(case.facts['in_flight'])} commands were in flight"


def nobody_waits_while_they_roll(case):
    for id, send in case.sends.items():
        if send["line"] > case.facts["rolling_from"] and case.replied[id]:
            waited = case.replied[id][0]["at"] - send["at"]
            if waited > 5000:
                yield f"{judge.where(send)}: waited {waited} ms"


SCENARIOS = {"chaos": chaos, "poison": poison, "contention": contention, "fill-up": fillup.fill_up,
             "stop-and-go": stop_and_go, "reconnect": endurance.reconnect, "soak": endurance.soak}
