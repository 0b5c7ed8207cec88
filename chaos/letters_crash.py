# SPDX-License-Identifier: Apache-2.0
"""Crashes while letters are written, published and swept. Everybody sends much garbage, and three workers sweep."""
import random
import signal
import time

import judge
import letters
from broker_frame import PROCESS, QUEUE_MS
from faults import Faults

USERS = ["conductor", "conductor", "team-blue"]
RATE_MIN = 120  # commands a second; about half of them are garbage
GARBAGE_PER_STEP = 2  # chances of four that a step sends garbage, whatever else it would send
ROUNDS, KILLS = 2, 6
SUSPENDED = "broker allot.dead suspended"


def letters_crash(harness, options, _):
    """Rounds of kills: of single workers while dead letters are accepted, and while the process of allot.dead is
    suspended, so that letters wait for a sweep; then of broker, database and workers at once."""
    rng = random.Random(options.seed)
    harness.up(3, USERS, max(RATE_MIN, options.rate))
    harness.start_workers()
    harness.seed_data()
    faults = Faults(harness, rng)
    for producer in harness.producers:
        send_garbage_too(producer)
        producer.start()
    rounds, unpublished = options.times or ROUNDS, []
    for _ in range(rounds):
        kill_workers(faults, rng)
        harness.journal.note("fault", name=SUSPENDED, phase="inject")
        harness.stack.rabbitmqctl("eval", PROCESS.format(queue="allot.dead") + f"sys:suspend(Process, {QUEUE_MS}).")
        kill_workers(faults, rng)
        unpublished.append(harness.ask_database(letters.count_unpublished, 0))
        restart_everything(harness, faults)  # which ends the suspension
        harness.journal.note("fault", name=SUSPENDED, phase="clear", count=1)
        time.sleep(3)
    healed = time.monotonic()
    harness.stop_load()
    facts = {**harness.settle(healed), "faults_min": rounds * (2 * KILLS + 2), "idle_limit_s": 60,
             "unpublished": unpublished, "summary": [f"unpublished letters when everything was killed: {unpublished}"]}
    return harness.gather(facts), judge.RULES + [much_was_dead_lettered, letters_waited_for_a_sweep]


def send_garbage_too(producer):
    step = producer.step

    def step_or_garbage():
        return producer.garbage() if producer.random.randrange(4) < GARBAGE_PER_STEP else step()
    producer.step = step_or_garbage


def kill_workers(faults, rng):
    for _ in range(KILLS):
        time.sleep(rng.uniform(0.2, 1.5))
        faults.run("worker SIGKILL", rng.uniform(0.1, 1))


def restart_everything(harness, faults):
    stack = harness.stack
    harness.journal.note("fault", name="everything SIGKILL", phase="inject")
    for worker in harness.workers:
        worker.end(signal.SIGKILL)
    for server in (stack.broker, *stack.nodes):
        server.end(signal.SIGKILL)
    for server in (stack.broker, *stack.nodes):
        server.start()
    for worker in harness.workers:
        worker.start()
    faults.primary()
    faults.as_operator(lambda channel: channel.queue_declare("allot.dead", passive=True))
    harness.journal.note("fault", name="everything SIGKILL", phase="clear", count=1)


def much_was_dead_lettered(case):
    if len(case.letters) < len(case.sends) / 5:
        yield f"{len(case.letters)} letters for {len(case.sends)} commands"


def letters_waited_for_a_sweep(case):
    if min(case.facts["unpublished"]) == 0:
        yield f"unpublished letters when everything was killed: {case.facts['unpublished']}"
