# SPDX-License-Identifier: Apache-2.0
"""The faults. Each is injected, held, cleared, and recorded with the number of times that it took place."""
import resource
import signal
import time

import pymongo

from servers import await_true
from load import TROUBLE, connect

MEET_MS = 10000
DEAD, DESK = "allot.dead", "allot.dead.desk"
TRANSIENT = ["TransientTransactionError"]
FAIL_POINTS = {
    **{f"failpoint write conflict/{statement}": ([statement], {"errorCode": 112, "errorLabels": TRANSIENT})
       for statement in ("aggregate", "insert", "update", "commitTransaction")},
    **{f"failpoint no primary/{statement}": ([statement], {"errorCode": 10107, "errorLabels": TRANSIENT})
       for statement in ("aggregate", "insert", "update")},
    "failpoint no primary/commitTransaction": (["commitTransaction"], {"errorCode": 10107}),
    **{f"failpoint network error/{statement}": ([statement], {"closeConnection": True})
       for statement in ("aggregate", "insert", "update", "commitTransaction")},
    "failpoint unknown commit, not applied": (["commitTransaction"], {
        "errorCode": 50, "errorLabels": ["UnknownTransactionCommitResult"]}),
    "failpoint unknown commit, applied": (["commitTransaction"], {
        "writeConcernError": {"code": 91, "errmsg": "shutting down"}}),
    # Longer than the worker repeats a commit: it has to plan again, and the recorded outcome decides.
    "failpoint unknown commit, not applied, for long": (["commitTransaction"], {
        "errorCode": 50, "errorLabels": ["UnknownTransactionCommitResult"]}),
    "failpoint unknown commit, applied, for long": (["commitTransaction"], {
        "writeConcernError": {"code": 91, "errmsg": "shutting down"}}),
    "failpoint slow/aggregate": (["aggregate"], {"blockConnection": True, "blockTimeMS": 2000}),
    "failpoint slow/commitTransaction": (["commitTransaction"], {"blockConnection": True, "blockTimeMS": 2000}),
}
FAIL_POINT_MS = 20000  # a change waits for those that are held up in it
TOXICS = {
    "half-open": [("timeout", "upstream", {"timeout": 0}), ("timeout", "downstream", {"timeout": 0})],
    "latency 2 s": [("latency", "downstream", {"latency": 1000}), ("latency", "upstream", {"latency": 1000})],
    "1 kB/s": [("bandwidth", "downstream", {"rate": 1}), ("bandwidth", "upstream", {"rate": 1})],
    "reset": [("reset_peer", "downstream", {"timeout": 0})],
    "cut in mid-frame": [("limit_data", "downstream", {"bytes": 3001}), ("limit_data", "upstream", {"bytes": 3001})],
}

# RabbitMQ has no command that ends a consumer, so this does what it does itself where the queue of one goes away: the
# consumer is taken off its queue, as if by the client, and the client is sent a basic.cancel. A channel that ends by
# itself meanwhile does not count.
CANCEL_CONSUMERS = """
Cancel = fun(Channel, Method) ->
    rabbit_channel:do(Channel, Method),
    {dictionary, Dictionary} = process_info(Channel, dictionary),
    [Supervisor | _] = proplists:get_value('$ancestors', Dictionary),
    {writer, Writer, _, _} = lists:keyfind(writer, 1, supervisor2:which_children(Supervisor)),
    rabbit_writer:send_command(Writer, Method),
    cancelled
end,
{ok, Queue} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"allot.commands">>)),
[try Cancel(element(1, Consumer), {'basic.cancel', element(2, Consumer), true})
 catch Class:Why ->
    case is_process_alive(element(1, Consumer)) of false -> ended; true -> exit({Class, Why}) end
 end || Consumer <- rabbit_amqqueue:consumers(Queue)].
"""


class Faults:
    """One object a run; `kinds` maps a name to (what it touches, inject, heal)."""

    def __init__(self, harness, rng):
        self.harness, self.rng = harness, rng
        self.kinds = {}
        self.add_workers()
        self.add_database()
        self.add_broker()
        self.add_proxies()

    def add(self, name, touches, inject, heal=lambda state: None):
        self.kinds[name] = (touches, inject, heal)

    def run(self, name, hold_s):
        """One fault, from its injection to its cure. It counts only where it has taken place."""
        _, inject, heal = self.kinds[name]
        journal = self.harness.journal
        journal.note("fault", name=name, phase="inject")
        state = inject()
        time.sleep(hold_s)
        count = heal(state)
        journal.note("fault", name=name, phase="clear", count=count if isinstance(count, int) else 1)

    # --- workers ---------------------------------------------------------------------------------

    def any_worker(self):
        return self.rng.choice(self.harness.workers)

    def add_workers(self):
        harness = self.harness

        def kill():
            worker = self.any_worker()
            worker.end(signal.SIGKILL)
            return worker

        def terminate():
            worker = self.any_worker()
            status = worker.end(signal.SIGTERM)
            harness.journal.note("stop", worker=worker.name, status=status)
            return worker

        def freeze():
            worker = self.any_worker()
            worker.send_signal(signal.SIGSTOP)
            return worker

        def full():
            worker = self.any_worker()
            worker.end(signal.SIGTERM)
            worker.start(errors="/dev/full")
            return worker

        def full_over(worker):
            worker.end(signal.SIGTERM)
            worker.start()

        def fill_disk():
            worker = self.any_worker()
            worker.end(signal.SIGTERM)
            worker.start(on_full_disk=True)
            return worker

        def make_room(worker):
            """Counts if the disk had become full. Then the worker can log again, and runs for a second."""
            count = int(worker.is_disk_full())
            worker.make_room()
            time.sleep(1)
            worker.end(signal.SIGTERM)
            worker.start()
            return count

        def limit_descriptors():
            """Lowers the limit of descriptors below what the worker has open, and cuts its database connections."""
            worker = self.any_worker()
            _, most = resource.prlimit(worker.process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(worker.process.pid, resource.RLIMIT_NOFILE, (8, most))
            harness.proxies[worker.index, "database"].restart()  # which cuts its links
            return worker

        def lift_limit(worker):
            _, most = resource.prlimit(worker.process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(worker.process.pid, resource.RLIMIT_NOFILE, (most, most))

        def jump(seconds):
            def inject():
                worker = harness.workers[-1]
                worker.clock.write_text(f"{seconds:+d}s\n")
                return worker
            return inject

        self.add("worker SIGKILL", {"worker"}, kill, lambda worker: worker.start())
        self.add("worker SIGTERM", {"worker"}, terminate, lambda worker: worker.start())
        self.add("worker SIGSTOP", {"worker"}, freeze, lambda worker: worker.send_signal(signal.SIGCONT))
        self.add("worker log full", {"worker"}, full, full_over)
        self.add("worker log disk full", {"worker"}, fill_disk, make_room)
        self.add("worker out of descriptors", {"worker", "proxy"}, limit_descriptors, lift_limit)
        if harness.workers[-1].faked:
            set_right = lambda worker: worker.clock.write_text("+0\n") and None
            self.add("clock +1 h", {"clock"}, jump(3600), set_right)
            self.add("clock -1 h", {"clock"}, jump(-3600), set_right)

    # --- database --------------------------------------------------------------------------------

    def primary(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            port = self.harness.stack.primary_port()
            if port is not None:
                return port
            time.sleep(0.2)
        raise TimeoutError("no primary for 20 s")

    def add_database(self):
        stack, touches = self.harness.stack, {"database"}

        def end(count, of_primary):
            def inject():
                first = stack.server_of(self.primary())
                others = [node for node in stack.nodes if node is not first]
                nodes = ([first] if of_primary else []) + others
                for node in nodes[:count]:
                    node.end()
                return nodes[:count]
            return inject

        def start(nodes):
            for node in nodes or []:
                node.start()

        def freeze(of_primary):
            def inject():
                first = stack.server_of(self.primary())
                node = first if of_primary else next(node for node in stack.nodes if node is not first)
                node.send_signal(signal.SIGSTOP)
                return node
            return inject

        def step_down():
            with stack.node(self.primary()) as client:
                try:
                    client.admin.command("replSetStepDown", 5, force=True)
                except pymongo.errors.AutoReconnect:
                    pass

        self.add("mongod SIGKILL, primary", touches, end(1, True), start)
        self.add("mongod SIGKILL, secondary", touches, end(1, False), start)
        self.add("mongod SIGKILL, two of three", touches, end(2, True), start)
        self.add("mongod freeze, primary", touches, freeze(True), lambda node: node.send_signal(signal.SIGCONT))
        self.add("mongod freeze, secondary", touches, freeze(False), lambda node: node.send_signal(signal.SIGCONT))
        self.add("mongod step-down", touches, step_down)
        for name, (commands, how) in FAIL_POINTS.items():
            self.add(name, touches, self.fail(commands, how, name.endswith("for long")), self.end_failpoint)

    def fail(self, commands, how, for_long):
        """Fails the commands a few times; `for_long` on the first worker, which gives up soon, until it is cleared."""
        def inject():
            port = self.primary()
            worker = self.harness.workers[0] if for_long else self.any_worker()
            mode = "alwaysOn" if for_long else {"times": self.rng.randint(1, 6)}
            data = {"failCommands": commands, "appName": f"allotd:{worker.name}", **how}
            with self.harness.stack.node(port, FAIL_POINT_MS) as client:
                before = client.admin.command("configureFailPoint", "failCommand", data=data, mode=mode)["count"]
            return port, before
        return inject

    def end_failpoint(self, state):
        """Turns the failpoint off and returns how often it was met. Waits for the first time, up to MEET_MS."""
        port, before = state
        with self.harness.stack.node(port, FAIL_POINT_MS) as client:
            try:
                client.admin.command("waitForFailPoint", "failCommand", timesEntered=before + 1, maxTimeMS=MEET_MS)
            except pymongo.errors.OperationFailure:
                pass  # it was not met
            return client.admin.command("configureFailPoint", "failCommand", mode="off")["count"] - before

    # --- broker ----------------------------------------------------------------------------------

    def as_operator(self, what):
        deadline = time.monotonic() + 60
        while True:
            try:
                connection = connect(self.harness.stack.env["ALLOT_AMQP_URI_OPERATOR"])
                result = what(connection.channel())
                connection.close()
                return result
            except TROUBLE:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.3)

    def add_broker(self):
        harness, stack, touches = self.harness, self.harness.stack, {"broker"}

        def restart():
            stack.broker.end(signal.SIGTERM)

        def kill():
            stack.broker.end(signal.SIGKILL)

        def start(_):
            stack.broker.start()
            self.as_operator(lambda channel: channel.queue_declare(DEAD, passive=True))

        def close_all():
            return int(stack.close_connections() > 0)

        def cancel_consumers():
            return len(stack.rabbitmqctl("eval", CANCEL_CONSUMERS).split("cancelled")) - 1

        def delete_queue():
            """Deletes the queue with its messages; the producers then repeat what was not answered, as after a time-out.
            Waits for a consumer first: RabbitMQ 3.10 keeps the name of a queue that is deleted while it starts, and
            that queue has no process until an operator deletes it again."""
            await_true(lambda: "allot.commands" in stack.rabbitmqctl("list_consumers", "queue_name"), 30, "a consumer")
            self.as_operator(lambda channel: channel.queue_delete("allot.commands"))

        def send_again(_):
            self.as_operator(lambda channel: channel.queue_declare("allot.commands", passive=True))
            harness.send_again()

        def alarm():
            stack.rabbitmqctl("set_vm_memory_high_watermark", "absolute", "1MB")

        def unbind():
            self.as_operator(lambda channel: [channel.queue_unbind(queue, DEAD, queue) for queue in (DESK, DEAD)])

        self.add("broker restart", touches, restart, start)
        self.add("broker SIGKILL", touches, kill, start)
        self.add("broker closes connections", touches, close_all, lambda count: count)
        self.add("broker cancels consumers", touches, cancel_consumers, lambda count: count)
        self.add("broker queue deleted", touches | {"worker", "database", "proxy"}, delete_queue, send_again)
        self.add("broker memory alarm", touches, alarm, lambda _: stack.rabbitmqctl(
            "set_vm_memory_high_watermark", "absolute", "1GiB") and None)
        self.add("broker allot.dead unbound", touches, unbind, lambda _: self.bind_dead())

    def bind_dead(self):
        """First the queue that people watch: a dead letter that only the desk queue takes counts as published."""
        self.as_operator(lambda channel: [channel.queue_bind(queue, DEAD, queue) for queue in (DEAD, DESK)])

    # --- proxies ---------------------------------------------------------------------------------

    def add_proxies(self):
        for side in ("broker", "database"):
            def link(side=side):
                return self.harness.proxies[self.any_worker().index, side]

            def cut(link=link):
                proxy = link()
                proxy.cut()
                return proxy

            def poison(toxics, link=link):
                def inject():
                    proxy = link()
                    try:
                        for kind, stream, attributes in toxics:
                            proxy.add(kind, stream, attributes)
                    except OSError:
                        proxy.restart()
                        raise
                    return proxy
                return inject

            self.add(f"link to {side} cut", {"proxy"}, cut, lambda proxy: proxy.start())
            for name, toxics in TOXICS.items():
                self.add(f"link to {side} {name}", {"proxy"}, poison(toxics), lambda proxy: proxy.restart())
