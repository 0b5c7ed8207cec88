# SPDX-License-Identifier: Apache-2.0
"""The wall clock of the worker's machine jumps eight days back, which is longer than the retention of outcomes."""
import json
import struct
import time

from broker_frame import Fault, NotInjected
from servers import FAKETIME, await_true
from victim import body_of, claim, create_provider

DAY_S, HOUR_MS = 86400, 3600_000
BEHIND_S = 8 * DAY_S
AGAIN_S = 30  # from the answers until the commands are repeated
PASSES = 2  # of the TTL monitor, which deletes what has expired, in that time at least
PASSES_S = 150  # the monitor may still be in a pause of 60 s
WARNED_S = 90  # a worker measures the database's clock once a minute


class ClockBehind(Fault):
    """Consumers are claimed and deleted while the worker's clock is eight days behind, and then the claims are repeated
    under their keys. A worker that had counted the expiry of their outcomes from its own clock would apply them again.
    Deadlines go by the database's clock too."""

    name = "clock-behind"

    def __init__(self, frame):
        super().__init__(frame)
        self.clock = frame.folder / "clock-behind.clock"
        self.clock.write_text("+0\n")
        self.settings = {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(self.clock),
                         "FAKETIME_CACHE_DURATION": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def prepare(self):
        self.culprit = self.frame.client("culprit")
        self.provider = create_provider(self.culprit)
        self.pauses = [(port, self.set_pause(port, 1)) for port in self.frame.stack.mongo_ports]

    def set_pause(self, port, seconds):
        """Sets the pause of a node's TTL monitor; returns what it was."""
        with self.frame.stack.node(port) as client:
            return client.admin.command("setParameter", 1, ttlMonitorSleepSecs=seconds)["was"]

    def inject(self):
        self.clock.write_text(f"-{BEHIND_S}s\n")
        self.frame.expect(lambda: self.frame.worker.events()["storage.warning"], "the worker warns of its clock", WARNED_S)
        self.claims = self.answer([self.culprit.send(claim(self.provider)) for _ in range(5 if self.short else 50)])
        self.answer([self.culprit.send(self.delete(command)) for command in self.claims])
        now_ms = time.time_ns() // 1_000_000
        self.late, self.in_time = (self.with_deadline(now_ms + shift_ms) for shift_ms in (-HOUR_MS, HOUR_MS))
        self.answer([self.late, self.in_time])
        self.await_expiry()
        for command in self.claims:
            self.culprit.outbox.append(command)
        self.frame.expect(lambda: all(len(command.answers) > 1 for command in self.claims), "the claims are answered again")

    def answer(self, commands):
        self.frame.expect(lambda: all(command.answers for command in commands), "the commands are answered")
        return commands

    def delete(self, command):
        consumer = json.loads(command.body)["params"]["consumer_uuid"]
        return body_of("allocation.delete", {"consumer_uuid": consumer, "consumer_generation": 1})

    def read(self):
        return body_of("provider.get", {"uuid": self.provider})

    def with_deadline(self, deadline_ms):
        command = self.culprit.make(self.read())
        name = b"x-allot-deadline"
        command.properties.table = bytes([len(name)]) + name + b"l" + struct.pack(">q", deadline_ms)
        self.culprit.outbox.append(command)
        return command

    def passes(self):
        port = self.frame.stack.primary_port()
        with self.frame.stack.node(port) as client:
            return client.admin.command("serverStatus")["metrics"]["ttl"]["passes"]

    def await_expiry(self):
        """Waits until the server has deleted whatever has expired."""
        before = self.passes()
        if not self.short:
            time.sleep(AGAIN_S)
        await_true(lambda: self.passes() >= before + PASSES, PASSES_S, "the TTL monitor runs")

    def prove(self):
        """The times in the log are those of the worker's wall clock."""
        behind = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - BEHIND_S + DAY_S))
        if not any(entry.get("event") == "storage.warning" and entry["ts"] < behind
                   for entry in self.frame.worker.entries()):
            raise NotInjected("the worker's clock is not behind")

    def clear(self):
        self.clock.write_text("+0\n")
        for port, seconds in self.pauses:
            self.set_pause(port, seconds)

    def check(self):
        again = [command for command in self.claims if len({text for _, text in command.answers}) > 1]
        if again:
            yield f"{len(again)} of {len(self.claims)} repeated claims got another answer: {again[0].answers[-1][1][:300]}"
        usage = self.answer([self.culprit.send(self.read())])[0].answers
        used = json.loads(usage[0][1])["result"]["usages"].get("VCPU", 0) if usage else None
        if used != 0:
            yield f"{used} VCPU are used by consumers that were deleted"
        for command, code in ((self.late, "deadline_exceeded"), (self.in_time, "success")):
            if command.answers and f'"{code}"' not in command.answers[0][1]:
                yield f"expected {code}, got {command.answers[0][1][:300]}"
        self.figures.append(f"{len(self.claims)} claims were repeated, {len(again)} got another answer; {used} VCPU are used")


FAULTS = [ClockBehind]
