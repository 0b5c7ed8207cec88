# SPDX-License-Identifier: Apache-2.0
"""A log that nobody reads, and stops of the worker while the database is away."""
import signal
import time

from broker_frame import Fault
from servers import WAIT_S, await_true
from victim import body_of, claim, create_provider


class FullLog(Fault):
    """stderr is a pipe that nobody reads for a while. The worker drops lines and goes on; later it says how many."""

    name = "full-log"
    settings = {"ALLOT_LOG_LEVEL": "debug"}
    piped_log = True

    def prepare(self):
        self.culprit = self.frame.client("culprit")
        self.provider = create_provider(self.culprit)
        self.commands = []

    def inject(self):
        self.frame.worker.log_pipe.pause()
        count = 3000 if self.short else 20000
        self.commands = [self.culprit.send(body_of("provider.get", {"uuid": self.provider})) for _ in range(count)]
        self.frame.expect(lambda: all(command.answers for command in self.commands), "the culprit is answered", 120)

    def clear(self):
        self.frame.worker.log_pipe.resume()

    def settle(self):
        self.frame.expect(lambda: self.frame.worker.events()["log.dropped"], "the worker counts what it dropped")

    def check(self):
        dropped = sum(entry.get("lines", 0) for entry in self.frame.worker.entries() if entry.get("event") == "log.dropped")
        self.figures.append(f"{len(self.commands)} reads; {dropped} lines of the log were dropped")
        if not dropped:
            yield "no line was dropped"


class StopsInOutage(Fault):
    """SIGTERM while the database does not answer, again and again. Each stop is in order and in time, and the commands
    in flight are not charged for it."""

    name = "stops-in-outage"
    settings = {"ALLOT_SHUTDOWN_TIMEOUT": "3s", "ALLOT_MONGODB_TIMEOUT": "10s"}
    STOPS = 5  # more than delivery.max_attempts
    SHUTDOWN_S, MARGIN_S = 3, 1

    def prepare(self):
        self.culprit = self.frame.client("culprit")
        self.provider = create_provider(self.culprit)
        self.commands, self.ends = [], []

    def inject(self):
        for _ in range(2 if self.short else self.STOPS):
            begun = time.monotonic()
            self.signal_database(signal.SIGSTOP)
            self.commands += [self.culprit.send(claim(self.provider)) for _ in range(20)]
            await_true(lambda: self.frame.count_all() >= 20, WAIT_S, "the commands are in the queue")
            self.end_worker()
            self.signal_database(signal.SIGCONT)
            connected = self.connections()
            self.frame.worker.start()
            await_true(lambda: self.connections() > connected, WAIT_S, "the worker is connected")
            self.frame.outages.append((begun, time.monotonic()))
            self.frame.let_the_victim_run(1)

    def connections(self):
        return self.frame.worker.events()["broker.connected"]

    def end_worker(self):
        begun = time.monotonic()
        status = self.frame.worker.end(signal.SIGTERM)
        self.ends.append((status, time.monotonic() - begun))

    def signal_database(self, number):
        for port in self.frame.stack.mongo_ports:
            self.frame.stack.server_of(port).send_signal(number)

    def clear(self):
        self.signal_database(signal.SIGCONT)

    def settle(self):
        self.frame.expect(lambda: all(command.answers for command in self.commands), "the culprit is answered", 120)

    def check(self):
        self.figures.append("stops (status, seconds): " + ", ".join(f"{status} {took:.1f}" for status, took in self.ends))
        for status, took in self.ends:
            if status != 0:
                yield f"a stop ended with {status}"
            if not self.short and took > self.SHUTDOWN_S + self.MARGIN_S:
                yield f"a stop took {took:.1f} s (shutdown.timeout is {self.SHUTDOWN_S} s)"
        yield from self.failures()

    def failures(self):
        failed = [command for command in self.commands if '"success"' not in command.answers[0][1]]
        if failed:
            yield f"{len(failed)} commands failed: {failed[0].answers[0][1][:200]}"


FAULTS = [FullLog, StopsInOutage]
