# SPDX-License-Identifier: Apache-2.0
"""Runs one scenario and judges it. See README.md in this folder."""
import argparse
import pathlib
import pickle
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pymongo

import evidence
import journal as journals
import judge
import letters
import report
import scenarios
from faults import Faults
from servers import ROOT, WAIT_S, Proxy, Stack, Worker, await_true
from load import Book, Link, Reader, dead_record, reply_record
from producer import HOT, HOT_TOTAL, Producer

DATABASE = "allot_chaos"
IDLE_LIMIT_S, IDLE_WAIT_S = 30, 90
LETTERS_WAIT_S = 90  # a sweep publishes what is 30 s old, and looks every 10 s; an old claim ends after 60 s
AGAIN_MS = 120_000
RATE, RATES = 40, {"expiry": 1000}  # commands a second


def say(*words):
    print("chaos:", *words, flush=True)


class Harness:
    """All processes, threads and records of one run, from `up` to `down`."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.journal = journals.Journal(folder / "journal")
        self.book = Book()
        self.journal.listeners.append(self.book.listen)
        self.workers, self.producers, self.readers = [], [], []
        self.stack, self.proxies = Stack(folder / "servers"), {}
        self.idle_wait_s, self.idle_limit_s, self.letters_wait_s = IDLE_WAIT_S, IDLE_LIMIT_S, LETTERS_WAIT_S
        if options.short:  # no duration is judged: what is waited for has to come
            self.idle_wait_s = self.idle_limit_s = self.letters_wait_s = WAIT_S
        self.over = threading.Event()
        self.watcher = threading.Thread(target=self.watch, daemon=True)

    def up(self, workers, users, rate, program="allotd", settings=()):
        build = pathlib.Path(self.options.build)
        self.stack.up()
        environment = dict(self.stack.env)
        self.run_ctl("topology", "declare")
        for index in range(workers):
            self.start_proxies(index)
            worker = Worker(index, self.stack, build / "bin" / program, self.folder, self.journal, DATABASE)
            worker.environment.update(settings)
            self.workers.append(worker)
        self.workers[-1].faked = self.options.scenario == "chaos" and self.workers[-1].can_fake_time()
        for index, user in enumerate(users):
            uri = environment["ALLOT_AMQP_URI_" + user.upper().replace("-", "_")]
            producer = Producer(index, user, uri, self.book, self.journal, self.options.seed, rate / len(users))
            self.producers.append(producer)
            self.journal.listeners.append(producer.listen)
            self.readers.append(Reader(uri, producer.queue, True, self.journal, reply_record))
        self.readers.append(Reader(environment["ALLOT_AMQP_URI_OPERATOR"], "allot.dead", False, self.journal,
                                   dead_record))
        for reader in self.readers:
            reader.start()

    def start_proxies(self, worker):
        for side, ports in (("broker", [self.stack.amqp_port]), ("database", self.stack.mongo_ports)):
            proxy = Proxy(worker, side, ports, self.free_port(), self.folder / "toxiproxy.log")
            self.proxies[worker, side] = proxy
            proxy.start()

    def free_port(self):
        words = [sys.executable, str(ROOT / "script/lib/broker.py"), "ports", "1"]
        return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)

    def run_ctl(self, *arguments, user=""):
        """Runs allotctl as a broker user of the stack (the worker's own). The URIs have passwords, so they are in the
        environment: everybody can see the arguments of a process."""
        name = "ALLOT_AMQP_URI" + (f"_{user.upper()}" if user else "")
        environment = {"ALLOT_MONGODB_URI": self.stack.mongo_uri, "ALLOT_MONGODB_DATABASE": DATABASE,
                       "ALLOT_AMQP_URI": self.stack.env[name], "PATH": "/usr/bin:/bin"}
        return subprocess.run([str(pathlib.Path(self.options.build) / "bin/allotctl"), *arguments], env=environment,
                              capture_output=True, text=True, check=False, timeout=120)

    def start_workers(self):
        for worker in self.workers:
            worker.start()
        self.watcher.start()

    def watch(self):
        while not self.over.wait(0.2):
            for worker in self.workers:
                worker.restart_if_crashed()

    def seed_data(self, cold=True):
        """Creates the providers and their inventories, before any fault."""
        self.producers[0].seed_data(HOT, HOT_TOTAL)
        for producer in self.producers:
            producer.seed_data(producer.cold if cold else [], 100)
        for producer in self.producers:
            producer.generations.update({provider: 1 for provider in HOT})
        await_true(lambda: not self.book.open_ids(), WAIT_S, "the providers have inventories")

    def send_again(self):
        """Repeats every command without an answer under its key, as a producer does after a time-out."""
        since = journals.now_ms() - AGAIN_MS
        ids = self.book.open_ids() + [id for id in self.book.silent_ids() if self.book.sends[id]["at"] > since]
        links = {producer.user: Link(producer.link.uri) for producer in self.producers}
        for id in ids:
            send = self.book.sends[id]
            self.journal.note("again", id=id)
            links[send["user"]].publish(send)
        for link in links.values():
            link.close()

    def stop_load(self):
        for producer in self.producers:
            producer.over.set()
        for producer in self.producers:
            if producer.ident is not None:
                producer.join(60)

    def queue_length(self, queues="allot."):
        """The messages of all queues whose name begins so."""
        rows = self.stack.rabbitmqctl("list_queues", "name", "messages").splitlines()
        return sum(int(row.split("\t")[1]) for row in rows if row.startswith(queues))

    def settle(self, since):
        """Waits until all is answered, and then until all dead letters are published. Returns the facts about both."""
        facts = {"idle_s": self.wait_until_idle(since), "letters_s": self.wait_until_published(time.monotonic())}
        return {**facts, "open": self.book.open_ids(), "queue": self.queue_length()}

    def wait_until_idle(self, since):
        """Seconds since `since` until all was answered and the queue of the commands was empty; None if that did not
        happen. A command with a stored letter is answered."""
        deadline = since + self.idle_wait_s
        while self.open_without_letter() and time.monotonic() < deadline:
            time.sleep(0.05)
        idle = time.monotonic() - since
        while self.queue_length("allot.commands\t") > 0 and time.monotonic() < deadline:
            idle = time.monotonic() - since
            time.sleep(0.3)
        return round(idle, 1) if not self.open_without_letter() else None

    def open_without_letter(self):
        ids = self.book.open_ids()
        return set(ids) - self.ask_database(lambda found: letters.stored_commands(found, ids), set()) if ids else set()

    def wait_until_published(self, since):
        """Seconds since `since` until no letter is unpublished, and the queues of the dead letters are empty; None if
        that did not happen."""
        deadline = since + self.letters_wait_s
        while time.monotonic() < deadline:
            if self.ask_database(letters.count_unpublished, None) == 0 and self.queue_length() == 0:
                return round(time.monotonic() - since, 1)
            time.sleep(0.3)
        return None

    def ask_database(self, what, otherwise):
        """What a majority has; `otherwise` while there is no primary."""
        try:
            with self.stack.client(readConcernLevel="majority") as client:
                return what(client[DATABASE])
        except pymongo.errors.PyMongoError:
            return otherwise

    def gather(self, facts, look=True):
        """Stops the workers and returns the case for the judge; `look`: with the documents of the database."""
        for worker in self.workers:
            if worker.is_running():
                self.journal.note("stop", worker=worker.name, status=worker.end(signal.SIGTERM))
        audit = self.run_ctl("audit")
        facts = {"audit": (audit.returncode, audit.stdout[-500:] + audit.stderr[-500:]), "faults_min": 0,
                 "kinds_min": {}, "sends_min": 50, "idle_limit_s": self.idle_limit_s,
                 "letters_limit_s": self.letters_wait_s, **facts}
        with self.stack.client() as client:
            found = evidence.look(client, DATABASE) if look else evidence.NONE
        return judge.Case(journals.read(self.journal.path), found, facts)

    def down(self):
        self.over.set()
        for producer in self.producers:
            producer.give_up.set()
            producer.over.set()
        for reader in self.readers:
            reader.over.set()
        for worker in self.workers:
            worker.expected = True
            if worker.is_running():
                worker.process.kill()
                worker.process.wait()
        for proxy in self.proxies.values():
            proxy.cut()
        for node in getattr(self.stack, "nodes", []):
            if node.is_running():
                node.send_signal(18)
        self.stack.down()
        self.journal.close()


def build(options):
    if options.build is None:
        options.build = str(ROOT / "build/chaos")
        run_logged("configure", "cmake", "-S", str(ROOT), "-B", options.build, "-G", "Ninja",
                   "-DCMAKE_BUILD_TYPE=Release", "-DALLOT_POISON=ON")
        run_logged("build", "ninja", "-C", options.build, "allotd", "allotctl", "allotd-poison")


def run_logged(name, *command):
    """Runs a command. If it fails, the end of its output and the path of its log are printed, and the run ends."""
    log = ROOT / "build" / f"chaos-{name}.log"
    if subprocess.run([ROOT / "script/lib/run_logged", log, *command]).returncode != 0:
        sys.exit(1)


def read_options():
    parser = argparse.ArgumentParser(prog="chaos/run")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10000))
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--scenario", choices=sorted(scenarios.SCENARIOS), default="chaos")
    parser.add_argument("--short", action="store_true",
                        help="wait for events, and judge no duration (chaos, and the scenarios with a victim)")
    parser.add_argument("--append", action="store_true", help="add the run to docs/reliability.md")
    parser.add_argument("--page", type=pathlib.Path, default=report.PAGE, help="the page that --append adds to")
    parser.add_argument("--build", help="a build to test (default: a release build in build/chaos)")
    parser.add_argument("--rate", type=float, help="commands a second, all producers together (40; expiry: 1000)")
    parser.add_argument("--faults", help="only faults whose name contains this")
    parser.add_argument("--times", type=int, help="number of stops of stop-and-go (100), of cuts of reconnect (1000), "
                        "or of commands of backlog (200000)")
    parser.add_argument("--valgrind", action="store_true", help="soak: the worker runs under valgrind")
    parser.add_argument("--keep", action="store_true", help="keep the journal and logs of a clean run too")
    parser.add_argument("--list", action="store_true", help="print the names of the scenarios that have a full form")
    parser.add_argument("--rejudge", type=pathlib.Path, help="judge the kept folder of an earlier run again")
    options = parser.parse_args()
    options.rate = options.rate or RATES.get(options.scenario, RATE)
    return options


NO_PART_OF_THE_RUN = ("append", "page", "keep", "list", "rejudge")


def command_line(options):
    """The options that decide what the run does, quoted for xargs, which can run them again."""
    words = []
    for name, value in vars(options).items():
        if name not in NO_PART_OF_THE_RUN and value is not None and value is not False:
            words += [f"--{name}"] + ([] if value is True else [str(value)])
    return shlex.join(words)


def store_case(folder, case, rules):
    """Stores what --rejudge needs."""
    material = case.records, case.evidence, case.facts, rules
    (folder / "case").write_bytes(pickle.dumps(material))


def rejudge(folder):
    """Judges a kept case again, by the rules of its scenario; returns the exit status."""
    if (folder / "options").exists():
        say("options", (folder / "options").read_text().strip())
    *material, rules = pickle.loads((folder / "case").read_bytes())
    case = judge.Case(*material)
    return 1 if report.tell(case, judge.judge(case, rules)) else 0


def main():
    options = read_options()
    if options.list:
        print("\n".join(name for name in scenarios.SCENARIOS if name not in scenarios.SHORT_FORMS))
        return 0
    if options.rejudge:
        return rejudge(options.rejudge)
    told = command_line(options)  # before build() fills in the default build
    build(options)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends what was started, too
    folder = pathlib.Path(tempfile.mkdtemp(prefix="allot-chaos-"))
    (folder / "options").write_text(told + "\n")
    say(f"scenario {options.scenario}, seed {options.seed}, {options.minutes:g} min, journal {folder}/journal")
    harness = Harness(options, folder)
    try:
        case, rules = scenarios.SCENARIOS[options.scenario](harness, options, Faults)
        store_case(folder, case, rules)
        results = judge.judge(case, rules)
    finally:
        harness.down()
    failed = report.tell(case, results)
    if options.append:
        add = report.append_victim if "victim" in case.facts else report.append
        add(case, results, options)
    if failed or options.keep:
        say(f"kept: {folder}")
    else:
        shutil.rmtree(folder)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
