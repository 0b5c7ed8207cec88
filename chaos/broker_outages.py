# SPDX-License-Identifier: Apache-2.0
"""Faults of the broker as a whole: restarts under load, a binding that is removed, credentials that are rotated."""
import secrets
import signal
import threading
import time

import pika

from broker_frame import LIMIT_S, Fault, NotInjected
from load import EXCHANGE, ROUTING_KEY, TROUBLE
from servers import WAIT_S, await_true
from victim import claim, create_provider


class Restarts(Fault):
    """The broker is killed and started twice under load, each time with many commands delivered and not answered: the
    worker is frozen for a moment before. So many commands are delivered for the third time. The time from the freeze
    until the broker accepts connections does not count for the victim."""

    name = "restarts"
    seconds = 10
    losses_max = 4  # two restarts; a connection that is made while the broker starts may be lost as well
    RATE, OPEN_MAX = 2000, 3000
    HELD_MIN = 500  # commands that the worker holds at each restart

    def prepare(self):
        self.bystander = self.frame.client("bystander")
        self.provider = create_provider(self.bystander)
        self.flooding = threading.Event()
        self.flood = None

    def send_much(self):
        """At RATE, as long as no more than OPEN_MAX commands are unanswered."""
        begun, sent = time.monotonic(), 0
        while self.flooding.is_set():
            time.sleep(0.02)
            allowed = int((time.monotonic() - begun) * self.RATE) - sent
            for _ in range(max(0, min(allowed, self.OPEN_MAX - len(self.bystander.open_ids)))):
                self.bystander.send(claim(self.provider))
                sent += 1
        self.figures.append(f"{sent} claims in {time.monotonic() - begun:.0f} s from another producer")

    def inject(self):
        broker, self.pids, self.held = self.frame.stack.broker, [], []
        for _ in range(2):
            self.start_flood()
            self.pids.append(broker.pid())
            self.restart(broker)
        self.pids.append(broker.pid())

    def start_flood(self):
        self.end_flood()
        if not self.short:
            self.flooding.set()
            self.flood = threading.Thread(target=self.send_much, daemon=True)
            self.flood.start()
            time.sleep(3)

    def end_flood(self):
        self.flooding.clear()
        if self.flood is not None:
            self.flood.join()

    def restart(self, broker):
        """Returns as soon as the worker is connected again."""
        connected = self.frame.worker.events()["broker.connected"]
        down = time.monotonic()
        self.frame.worker.send_signal(signal.SIGSTOP)
        self.held.append(self.wait_for_deliveries())
        broker.end(signal.SIGKILL)
        self.flooding.clear()
        broker.start()
        await_true(self.is_up, WAIT_S, "the broker is up")
        self.frame.worker.send_signal(signal.SIGCONT)
        self.frame.outages.append((down, time.monotonic()))
        await_true(lambda: self.frame.worker.events()["broker.connected"] > connected, WAIT_S, "the worker is connected",
                   0.005)

    def wait_for_deliveries(self):
        """How many commands the worker holds, by the broker's count; it counts what it has sent to the socket."""
        for _ in range(1 if self.short else 40):
            held = int(self.frame.eval('lists:sum([Count || [{_, Name}, {_, Count}] <- rabbit_amqqueue:info_all(<<"/">>, '
                                       '[name, messages_unacknowledged]), element(4, Name) =:= <<"allot.commands">>])'))
            if held >= self.HELD_MIN:
                break
        return held

    def is_up(self):
        try:
            return self.frame.count("allot.commands") is not None
        except TROUBLE:
            return False

    def prove(self):
        self.figures.append(f"the worker held {self.held} commands at the restarts")
        if len(set(self.pids)) != 3:
            raise NotInjected(f"the broker's processes were {self.pids}")
        if not self.short and min(self.held) < self.HELD_MIN:
            raise NotInjected(f"the worker held {self.held} commands, of at least {self.HELD_MIN}")

    def clear(self):
        self.frame.stack.broker.start()
        self.frame.worker.send_signal(signal.SIGCONT)
        self.end_flood()

    def settle(self):
        self.frame.expect(lambda: not self.bystander.unanswered(), "the other producer has all answers")


class TopologyLostBinding(Fault):
    """Somebody removes the binding of the commands: what is published comes back. The worker declares it again within
    a minute. For the victim that time does not count."""

    name = "topology-lost-binding"
    seconds = 1
    HEALED_S = 75

    def bind(self):
        self.frame.as_tester(lambda channel: channel.queue_bind("allot.commands", EXCHANGE, ROUTING_KEY))

    def inject(self):
        since = time.monotonic()
        self.frame.as_tester(self.unbind)
        if self.short:
            self.bind()
        self.frame.expect(self.is_bound, "the worker declares the binding again", self.HEALED_S)
        self.bind()
        self.frame.outages.append((since, time.monotonic() + 0.3))  # the victim repeats what comes back after 0.2 s

    def unbind(self, channel):
        """Proves it at once: the worker may bind the queue again at any time."""
        channel.queue_unbind("allot.commands", EXCHANGE, ROUTING_KEY)
        try:
            channel.basic_publish(EXCHANGE, ROUTING_KEY, b"", mandatory=True)
        except pika.exceptions.UnroutableError:
            return
        raise NotInjected("the commands' queue is still bound")

    def is_bound(self):
        return '"allot.commands"' in self.frame.eval(
            '[binary_to_list(element(4, element(4, Binding))) || Binding <- rabbit_binding:list_for_source('
            'rabbit_misc:r(<<"/">>, exchange, <<"allot.commands">>)), element(3, Binding) =:= <<"allot.commands">>]')


class TopologyLostCredentials(Fault):
    """The worker's password is changed, in the broker and in the file that the worker was given, and its connections
    are closed."""

    name = "topology-lost-credentials"
    losses_max = 1
    seconds = 5

    def __init__(self, frame):
        super().__init__(frame)
        self.file = frame.folder / "amqp.uri"
        self.uri = frame.stack.env["ALLOT_AMQP_URI"]
        self.file.write_text(self.uri + "\n")
        self.settings = {"ALLOT_AMQP_URI": None, "ALLOT_AMQP_URI_FILE": str(self.file)}

    def change_password(self, password):
        self.frame.eval(f'rabbit_auth_backend_internal:change_password(<<"worker">>, <<"{password}">>, <<"chaos">>)')

    def inject(self):
        self.old = self.uri.split(":")[2].split("@")[0]
        self.new = secrets.token_hex(8)
        self.change_password(self.new)
        self.file.write_text(self.uri.replace(self.old, self.new) + "\n")
        connected = self.frame.worker.events()["broker.connected"]
        self.frame.stack.close_connections("worker")
        self.prove_the_old_one_is_refused()
        self.frame.expect(lambda: self.frame.worker.events()["broker.connected"] > connected,
                          "the worker connects with the new credentials", LIMIT_S if self.short else 15)

    def prove_the_old_one_is_refused(self):
        try:
            pika.BlockingConnection(pika.URLParameters(self.uri)).close()
        except pika.exceptions.AMQPConnectionError:
            return
        raise NotInjected("the old password is accepted")

    def clear(self):
        """With the old password again, a worker that kept it goes on."""
        self.change_password(self.old)
        self.file.write_text(self.uri + "\n")


FAULTS = [Restarts, TopologyLostBinding, TopologyLostCredentials]
