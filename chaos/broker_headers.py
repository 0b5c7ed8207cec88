# SPDX-License-Identifier: Apache-2.0
"""Faults of headers: too large once the broker has added its own, and nested deeply."""
from broker_frame import Fault, NotInjected
from servers import WAIT_S, await_true
from victim import body_of

WITNESS = "chaos.witness"
READ = body_of("usage.get", {"project_id": "p"})
MIB = 1 << 20


def padded(size):
    """A valid command of this size."""
    return READ[:-1] + b" " * (size - len(READ)) + b"}"


def the_letters_are_listed(frame):
    done = frame.harness.run_ctl("dead", "list", user="operator")
    if done.returncode != 0:
        yield f"allotctl dead list: {done.stderr[-300:]}"


class Witness:
    """A queue that gets a copy of every command, to show what the broker made of it."""

    def __init__(self, frame):
        self.frame = frame

    def open(self):
        def declare(channel):
            channel.queue_declare(WITNESS, durable=True)
            channel.queue_bind(WITNESS, "allot.commands", "allot.commands")
        self.frame.as_tester(declare)

    def close(self):
        self.frame.as_tester(lambda channel: channel.queue_delete(WITNESS))


class BigHeaders(Fault):
    """Commands whose header frame is full come to the queue by a detour on which the broker adds x-death; others are
    so many and large that flow control gives some back."""

    name = "big-headers"
    settings = {"ALLOT_AMQP_MAX_BYTES_IN_FLIGHT": "16MiB"}  # so that 90 MiB make flow control pause
    DETOURS = {"ttl": {"x-message-ttl": 0}, "full": {"x-max-length": 1}}

    def prepare(self):
        self.each, self.large = (3, 0) if self.short else (10, 90)
        self.culprit = self.frame.client("culprit")
        self.witness = Witness(self.frame)
        self.frame.as_tester(self.declare, "culprit")
        self.frame.expire([self.full(READ, expiration="0")])

    def declare(self, channel):
        channel.exchange_declare("culprit.in", "direct", durable=True)
        for name, arguments in self.DETOURS.items():
            back = {"x-dead-letter-exchange": "allot.commands", "x-dead-letter-routing-key": "allot.commands"}
            channel.queue_declare(f"culprit.{name}", durable=True, arguments={**arguments, **back})
            channel.queue_bind(f"culprit.{name}", "culprit.in", name)

    def full(self, body, **properties):
        command = self.culprit.make(body, **properties)
        command.properties.fill()
        return command

    def inject(self):
        if self.large:
            self.frame.publish_confirmed([self.full(padded(MIB)) for _ in range(self.large)])
        self.witness.open()
        for name in self.DETOURS:
            commands = [self.full(READ) for _ in range(self.each)]
            self.frame.publish_confirmed(commands, exchange="culprit.in", key=name)

    def prove(self):
        """One message stays in the queue with a maximum length; the others have x-death."""
        self.died = 0
        try:
            await_true(lambda: self.count_died() >= 2 * self.each - 1, WAIT_S, "the commands come by the detour")
        except TimeoutError as trouble:
            raise NotInjected(f"{self.died} commands with a full header have x-death") from trouble
        self.figures.append(f"{self.died} full headers with x-death; flow control paused "
                            f"{self.frame.worker.events()['flow.paused']} times")
        if self.large and not self.frame.worker.events()["flow.paused"]:
            raise NotInjected("flow control did not pause")

    def count_died(self):
        self.died += sum("x-death" in (properties.headers or {}) for properties, _ in self.frame.drain(WITNESS))
        return self.died

    def clear(self):
        self.witness.close()
        self.frame.as_tester(lambda channel: channel.queue_purge("culprit.full"))

    def settle(self):
        """One command was purged with its queue."""
        self.frame.expect(lambda: len(self.culprit.unanswered()) <= 1 + self.frame.count("allot.dead"),
                          "the commands with full headers are answered or dead-lettered")

    def check(self):
        yield from the_letters_are_listed(self.frame)


class DeepHeaders(Fault):
    """Headers of tables in tables."""

    name = "deep-headers"
    # From librabbitmq 0.14 on, one for each message, and one for its copy in the desk queue; 0.11 reads them all.
    losses_max = 12
    LEVELS = (150, 1500, 18000)

    def prepare(self):
        self.culprit = self.frame.client("culprit")

    def inject(self):
        commands = []
        for levels in self.LEVELS:
            for body in (READ, b"{nope"):
                command = self.culprit.make(body, **({"reply_to": None} if body != READ else {}))
                command.properties.nest(levels)
                commands.append(command)
        self.frame.publish_confirmed(commands)  # confirmed and not returned: it is in the queue

    def settle(self):
        self.frame.expect(lambda: len(self.culprit.unanswered()) <= self.frame.count("allot.dead"),
                          "the commands with deep headers are answered or dead-lettered")
        self.frame.expect(lambda: self.frame.count_all("allot.dead.desk") == 0,
                          "their copies in the desk queue are gone")

    def check(self):
        yield from the_letters_are_listed(self.frame)


FAULTS = [BigHeaders, DeepHeaders]
