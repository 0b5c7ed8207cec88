# SPDX-License-Identifier: Apache-2.0
"""The common frame of the scenarios with a victim: one worker, the principals, the fault from its injection to its
end, and the rules that hold for every fault. The faults are in broker_headers.py, broker_replies.py, broker_letters.py
and broker_outages.py."""
import collections
import json
import os
import pathlib
import re
import secrets
import signal
import subprocess
import threading
import time

import evidence
import journal as journals
import judge
from load import EXCHANGE, ROUTING_KEY, TROUBLE, connect
from servers import ROOT, WAIT_S, Worker, await_true
from victim import Client, Victim, create_provider

DATABASE = "allot_chaos"
VICTIM_S = 10  # the victim runs so long before the fault and after it
ANSWERS = 4  # short form: answers of the victim that are waited for before, during and after the fault
LIMIT_S = 45  # for what has to happen in the end
QUEUE_MS = 60000  # a busy queue may take so long to hear that it is suspended; Erlang waits for 5 s by default
PRINCIPALS = ("victim", "culprit", "bystander", "greedy")
# One line each that the log has for a command, whatever the fault.
LINES_OF_COMMANDS = {"command.failed", "command.succeeded", "audit.denied"}

ADD_USER = """
Grant = fun(Name, Password, Configure, Write, Read) ->
  rabbit_auth_backend_internal:add_user(Name, Password, <<"chaos">>),
  rabbit_auth_backend_internal:set_permissions(Name, <<"/">>, Configure, Write, Read, <<"chaos">>) end,
"""
PROCESS = """
{{ok, Queue}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{queue}">>)),
Process = case amqqueue:get_pid(Queue) of {{Name, _}} -> whereis(Name); Pid -> Pid end,
"""
COUNT_MESSAGES = """
{ok, {_, Count}, _} = ra:leader_query(amqqueue:get_pid(Queue), {rabbit_fifo, query_messages_total, []}), Count
"""


class NotInjected(Exception):
    pass


class LogPipe:
    """Copies the log of a worker from a pipe to its file. While it is paused, nobody reads the pipe."""

    def __init__(self, path):
        self.read_end, self.write_end = os.pipe()
        self.may_read = threading.Event()
        self.resume()
        threading.Thread(target=self.copy, args=(path,), daemon=True).start()

    def copy(self, path):
        with open(path, "ab", buffering=0) as log:
            while True:
                self.may_read.wait()
                log.write(os.read(self.read_end, 65536))

    def pause(self):
        self.may_read.clear()

    def resume(self):
        self.may_read.set()


class PlainWorker(Worker):
    """A worker with default settings that reaches the servers without a proxy."""

    number = 0
    log_pipe = None

    def __init__(self, stack, program, folder, journal, policy, settings):
        super().__init__(PlainWorker.number, stack, program, folder, journal, DATABASE)
        PlainWorker.number += 1
        self.environment.update(ALLOT_AMQP_URI=stack.env["ALLOT_AMQP_URI"], ALLOT_POLICY_FILE=str(policy))
        del self.environment["ALLOT_AMQP_HEARTBEAT"]
        self.environment.update(settings)
        self.environment = {name: value for name, value in self.environment.items() if value is not None}

    def start(self, errors=None, on_full_disk=False):
        with open(self.log, "ab") as log:
            errors = self.log_pipe.write_end if self.log_pipe else log
            self.process = subprocess.Popen([str(self.program)], env=self.environment, cwd=ROOT, stdout=log, stderr=errors,
                                            stdin=subprocess.DEVNULL, start_new_session=True)
        self.expected = False
        await_true(lambda: self.handles_signals() or not self.is_running(), WAIT_S, f"{self.name} handles SIGTERM")

    def peak_kb(self):
        return int(re.search(r"^VmHWM:\s+(\d+)", self.proc("status").read_text(), re.MULTILINE).group(1))

    def entries(self):
        """The log so far. A line that is not JSON comes from a library or a sanitizer."""
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                yield {"event": "not JSON", "message": line}

    def events(self):
        return collections.Counter(entry.get("event") for entry in self.entries())

    def count(self, event):
        """How often the event was logged, with those that only `not_logged` counts. That number is in the log
        10 s later, or when the worker has ended."""
        return sum(entry.get("not_logged", 1) for entry in self.entries()
                   if entry.get("event") == event and entry.get("level") != "debug")


class Frame:
    """The servers and principals. `short`: events are waited for, and no duration is judged."""

    def __init__(self, harness, short):
        self.harness, self.short, self.stack, self.folder = harness, short, harness.stack, harness.folder
        self.passwords = {name: secrets.token_hex(8) for name in (*PRINCIPALS, "tester")}
        self.policy = self.folder / "policy.yaml"
        self.worker = self.victim = None
        self.clients, self.outages, self.problems = [], [], []
        self.number = 0

    # --- servers ---------------------------------------------------------------------------------

    def up(self):
        self.stack.up()
        self.harness.run_ctl("topology", "declare")
        self.add_principals()
        self.write_policy()

    def add_principals(self):
        """Each has the rights of an ordinary producer; `tester` has all rights."""
        calls = [ADD_USER]
        for name, password in self.passwords.items():
            own = r"^" + name + r"\\..*$" if name != "tester" else ".*"
            write = r"^(allot\\.commands|" + name + r"\\..*)$" if name != "tester" else ".*"
            calls.append(f'Grant(<<"{name}">>, <<"{password}">>, <<"{own}">>, <<"{write}">>, <<"{own}">>),\n')
        self.eval("".join(calls) + "ok")

    def write_policy(self):
        principals = [{"name": name, "allow": [{"commands": ["*"], "projects": ["*"], "providers": ["*"]}],
                       "reply_to": ["*"] if name == "greedy" else [f"{name}.*", "amq.rabbitmq.reply-to.*"]}
                      for name in PRINCIPALS]
        self.policy.write_text(json.dumps({"version": 1, "principals": principals}))

    def start_worker(self, settings, piped_log=False):
        program = pathlib.Path(self.harness.options.build) / "bin/allotd"
        self.worker = PlainWorker(self.stack, program, self.folder, self.harness.journal, self.policy, settings)
        if piped_log:
            self.worker.log_pipe = LogPipe(self.worker.log)
        self.harness.workers.append(self.worker)
        self.worker.start()
        await_true(lambda: self.worker.events()["broker.connected"], WAIT_S, "the worker is connected")

    def uri(self, user):
        address = self.stack.env["ALLOT_AMQP_URI"].split("@")[1]
        return f"amqp://{user}:{self.passwords[user]}@{address}"

    # --- what the broker is told -----------------------------------------------------------------

    def eval(self, text):
        return self.stack.rabbitmqctl("eval", text.rstrip(".") + ".").strip()

    def suspend(self, queue):
        """Suspends the process of a queue: it takes nothing and confirms nothing until it is resumed."""
        self.eval(PROCESS.format(queue=queue) + f"sys:suspend(Process, {QUEUE_MS})")
        status = self.eval(PROCESS.format(queue=queue) +
                           f"element(2, list_to_tuple(element(4, sys:get_status(Process, {QUEUE_MS}))))")
        if status != "suspended":
            raise NotInjected(f"the process of {queue} is {status}")

    def resume(self, queue):
        self.eval(PROCESS.format(queue=queue) + f"sys:resume(Process, {QUEUE_MS})")

    def reconnect_worker(self):
        """Closes the worker's connections, and waits until it has new ones."""
        connected = self.worker.events()["broker.connected"]
        self.stack.close_connections("worker")
        self.expect(lambda: self.worker.events()["broker.connected"] > connected, "the worker is connected again")

    def count_closed(self, user):
        """How many connections of a user the broker has ended because of an error, by its own log."""
        logs = "".join(log.read_text(errors="replace") for log in (self.stack.folder / "log").glob("allot*.log"))
        return len(re.findall(rf"rror on AMQP connection .*user: '{user}'", logs))

    def as_tester(self, what, user="tester"):
        """Calls `what` with a channel that has confirms, and returns its result."""
        connection = connect(self.uri(user))
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            return what(channel)
        finally:
            try:
                connection.close()
            except TROUBLE:
                pass

    def count(self, queue):
        """The messages of a queue that are ready."""
        return self.as_tester(lambda channel: channel.queue_declare(queue, passive=True)).method.message_count

    def count_all(self, queue="allot.commands"):
        """All messages of a queue, with those that the worker holds, as its process has them now. (backlog()
        reads the broker's metrics, which lag by seconds.)"""
        return int(self.eval(PROCESS.format(queue=queue) + COUNT_MESSAGES))

    def backlog(self):
        """All messages of allot.commands, with those that the worker holds."""
        rows = self.stack.rabbitmqctl("list_queues", "name", "messages").splitlines()
        return sum(int(row.split()[1]) for row in rows if row.startswith("allot.commands\t"))

    def drain(self, queue):
        """Takes all messages out of a queue; returns their properties and bodies."""
        def take(channel):
            found = []
            while True:
                method, properties, body = channel.basic_get(queue, auto_ack=True)
                if method is None:
                    return found
                found.append((properties, body))
        return self.as_tester(take)

    def publish_confirmed(self, commands, user="culprit", exchange=EXCHANGE, key=ROUTING_KEY):
        """Publishes and returns once the broker has confirmed each: then the fault's messages are in a queue."""
        def publish(channel):
            for command in commands:
                command.first_at = command.sent_at = time.monotonic()
                channel.basic_publish(exchange, key, command.body, command.properties, mandatory=True)
        self.as_tester(publish, user)

    def expire(self, commands, user="culprit"):
        """Has commands with an expiration expire in allot.commands, while the worker is down."""
        before = self.count("allot.dead")
        self.worker.end(signal.SIGTERM)
        self.publish_confirmed(commands, user)
        await_true(lambda: self.count("allot.dead") == before + len(commands), WAIT_S, "the commands expire")
        connected = self.worker.events()["broker.connected"]
        self.worker.start()
        await_true(lambda: self.worker.events()["broker.connected"] > connected, WAIT_S, "the worker is connected")

    # --- what the database has -------------------------------------------------------------------

    def in_database(self, what):
        with self.stack.client(readConcernLevel="majority") as client:
            return what(client[DATABASE])

    # --- principals ------------------------------------------------------------------------------

    def client(self, user, arguments=None, kind=Client, name="replies"):
        self.number += 1
        queue = f"{user}.{name}.{self.number}"
        client = kind(self.uri(user), queue, arguments) if arguments else kind(self.uri(user), queue)
        self.clients.append(client)
        client.start()
        await_true(client.ready.is_set, WAIT_S, f"{user} is ready")
        return client

    def start_victim(self):
        self.victim = self.client("victim", kind=Victim)
        self.victim.provider = create_provider(self.victim)
        self.victim.start_sending()

    # --- time ------------------------------------------------------------------------------------

    def expect(self, condition, what, seconds=LIMIT_S):
        """Waits; what does not happen in time is a violation. Then the run goes on; the short form ends."""
        try:
            await_true(condition, WAIT_S if self.short else seconds, what)
        except TimeoutError as trouble:
            if self.short:
                raise
            self.problems.append(str(trouble))

    def let_the_victim_run(self, seconds):
        """The short form waits until commands that the victim sends from now on are answered."""
        if not self.short:
            time.sleep(seconds)
            return
        known = len(self.victim.commands)
        later = lambda: [command for command in list(self.victim.commands.values())[known:] if command.answers]
        self.expect(lambda: len(later()) >= ANSWERS, "the victim is answered")

    def await_acknowledgements(self):
        """Waits until each command is acknowledged. The victim pauses meanwhile."""
        self.victim.stop_sending()
        self.expect(lambda: self.count_all() == 0, "all commands are acknowledged")
        self.victim.start_sending()

    def run(self, fault):
        """From before the fault until after it. Returns the facts for the rules."""
        self.problems, self.outages, self.clients = [], [], []
        injected = ""
        self.start_worker(fault.settings, fault.piped_log)
        try:
            fault.prepare()
            self.start_victim()
            self.let_the_victim_run(VICTIM_S)
            injected = self.inject(fault)
            self.let_the_victim_run(VICTIM_S)
            self.victim.stop_sending()
            fault.settle()
            self.expect(lambda: not self.victim.outbox and not self.victim.unanswered(), "the victim has all answers")
            return self.collect(fault, injected)
        finally:
            for client in self.clients:
                client.over.set()

    def inject(self, fault):
        """Returns why the fault was not injected; empty if it was."""
        try:
            fault.inject()
            self.let_the_victim_run(fault.seconds)
            fault.prove()
        except Exception as trouble:
            if self.short:
                raise
            return repr(trouble)
        finally:
            fault.clear()
        return ""

    def collect(self, fault, injected):
        """The figures, and then the end of the worker by SIGTERM."""
        figures = self.victim.figures(self.outages)
        alive = self.worker.is_running()
        peak_kb = self.worker.peak_kb() if alive else None
        self.problems += fault.check()
        self.problems += fault.stop()
        events = self.worker.events()
        status = self.end_worker()
        fault.tidy()
        lines = sum(count for event, count in events.items() if event not in LINES_OF_COMMANDS)
        codes = {client.user: client.codes() for client in self.clients if client is not self.victim}
        return {"victim": figures, "wrong": self.victim.wrong[:3], "injected": injected, "alive": alive, "status": status,
                "peak_kb": peak_kb, "events": dict(events), "lines": lines, "losses": self.worker.count("broker.disconnected"),
                "answers": codes, "problems": self.problems, "p99_max_ms": fault.p99_max_ms, "lines_max": fault.lines_max,
                "losses_max": fault.losses_max, "short": self.short, "figures": fault.figures}

    def end_worker(self):
        status = self.worker.end(signal.SIGTERM) if self.worker.is_running() else self.worker.process.returncode
        self.harness.journal.note("stop", worker=self.worker.name, status=status)
        return status


class Fault:
    """A fault, and what is expected of it. A subclass says what differs."""

    name = ""
    settings = {}  # of the worker; a value of None removes a variable
    piped_log = False  # the worker writes its log to worker.log_pipe
    seconds = 5  # how long the fault lasts, after inject() has returned
    p99_max_ms = 5000
    lines_max = None  # lines of the log that are not about one command
    losses_max = 0  # connections to the broker
    long_only = False  # not in the short form

    def __init__(self, frame):
        self.frame, self.short = frame, frame.short
        self.figures = []  # sentences for the report

    def prepare(self):
        """Called before the victim starts."""

    def inject(self):
        raise NotImplementedError

    def prove(self):
        """Raises NotInjected if the fault has not taken place."""

    def clear(self):
        """Ends the fault; also called if inject() failed."""

    def settle(self):
        """Waits for what has to happen after the fault."""

    def check(self):
        """Yields violations of the rules that are special to this fault."""
        return iter(())

    def stop(self):
        """Called last; returns violations. The worker is ended by SIGTERM after it."""
        return []

    def tidy(self):
        """Called after the end of the worker: removes what would reach the next fault of the stack."""


# --- rules -----------------------------------------------------------------------------------------------------------


def the_fault_was_injected(case):
    if case.facts["injected"]:
        yield case.facts["injected"]


def every_command_of_the_victim_is_answered(case):
    if case.facts["victim"]["unanswered"]:
        yield f"{case.facts['victim']['unanswered']} of {case.facts['victim']['commands']} commands"


def every_answer_of_the_victim_is_right(case):
    yield from case.facts["wrong"]


def the_victim_is_answered_in_time(case):
    p99_ms, limit_ms = case.facts["victim"]["p99_ms"], case.facts["p99_max_ms"]
    if not case.facts["short"] and (p99_ms is None or p99_ms > limit_ms):
        yield f"p99 is {p99_ms} ms (limit {limit_ms})"


def few_connections_are_lost(case):
    if case.facts["losses"] > case.facts["losses_max"]:
        yield f"{case.facts['losses']} connections lost (limit {case.facts['losses_max']})"


def few_lines_are_logged(case):
    if case.facts["lines_max"] is not None and case.facts["lines"] > case.facts["lines_max"]:
        yield f"{case.facts['lines']} lines (limit {case.facts['lines_max']}): {case.facts['events']}"


def the_fault_has_no_other_effect(case):
    yield from case.facts["problems"]


def the_worker_survives_and_ends_at_sigterm(case):
    if not case.facts["alive"]:
        yield "the worker ended by itself"
    if case.facts["status"] != 0:
        yield f"the worker ended with {case.facts['status']} at SIGTERM"


RULES = [the_fault_was_injected, every_command_of_the_victim_is_answered, every_answer_of_the_victim_is_right,
         the_victim_is_answered_in_time, few_connections_are_lost, few_lines_are_logged, the_fault_has_no_other_effect,
         the_worker_survives_and_ends_at_sigterm]


def summary(facts):
    """Sentences for the terminal."""
    victim = facts["victim"]
    yield (f"victim: {victim['commands']} commands, p50 {victim['p50_ms']} ms, p99 {victim['p99_ms']} ms, maximum "
           f"{victim['max_ms']} ms, {victim['wrong']} wrong, {victim['unanswered']} unanswered")
    yield f"worker: peak RSS {facts['peak_kb']} kB, {facts['losses']} connections lost, {facts['lines']} lines"
    yield f"log: {facts['events']}"
    yield f"answers: {facts['answers']}"
    yield from facts["figures"]


def scenario(kind):
    """The scenario of one fault, in the form that main.py runs."""
    def run(harness, options, _):
        frame = Frame(harness, options.short)
        frame.up()
        facts = frame.run(kind(frame))
        audit = harness.run_ctl("audit")
        facts.update({"audit": (audit.returncode, audit.stdout[-500:] + audit.stderr[-500:]), "idle_s": 0,
                      "summary": list(summary(facts)), "commands": facts["victim"]["commands"]})
        case = judge.Case(journals.read(harness.journal.path), evidence.NONE, facts)
        return case, RULES + [judge.the_auditor_agrees]
    return run
