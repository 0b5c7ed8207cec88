# SPDX-License-Identifier: Apache-2.0
"""The processes of a run: broker, database nodes, proxies and workers; how each is started and ended."""
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import time
import urllib.request

import pymongo

ROOT = pathlib.Path(__file__).resolve().parents[1]
MOUNT_HOSTS = 'mount --bind "$0" /etc/hosts && exec "$@"'
# Mounts a disk for the log of one worker, with room for one page.
MOUNT_FULL_DISK = ('mount --bind "$0" /etc/hosts && disk=$1 && shift && mount -t tmpfs -o size=64k allot-log "$disk" && '
                   'head -c 61440 /dev/zero >"$disk/filler" && exec "$@" 2>>"$disk/log"')
FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
WAIT_S = 300  # an event that has not come by then does not come any more

# Closes connections one by one. The call of a connection that ends by itself meanwhile exits: it is closed then too.
# (A worker closes its other connections as soon as the first one is lost.)
CLOSE_CONNECTIONS = """
[try rabbit_reader:shutdown(Connection, "chaos") of ok -> closed
 catch exit:{{_, {{_, _, [Connection | _]}}}} -> ended
 end || Connection <- {connections}].
"""
CONNECTIONS_OF_USER = ('[Pid || Row <- rabbit_connection_tracking:list_of_user(<<"{user}">>), Pid <- tuple_to_list(Row), '
                       'is_pid(Pid)]')


def await_true(condition, seconds, what, pause_s=0.1):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"timeout after {seconds} s, waiting for: {what}")
        time.sleep(pause_s)


class Server:
    """A process of script/stack. It can be killed and started again with the same arguments and environment."""

    def __init__(self, name, pid_file):
        self.name = name
        self.pid_file = pathlib.Path(pid_file)
        self.remember()

    def remember(self):
        proc = pathlib.Path("/proc") / str(self.pid())
        self.arguments = [part.decode() for part in (proc / "cmdline").read_bytes().split(b"\0")[:-1]]
        pairs = (part.decode().split("=", 1) for part in (proc / "environ").read_bytes().split(b"\0") if b"=" in part)
        self.environment = dict(pairs)
        self.folder = os.readlink(proc / "cwd")
        self.program = os.readlink(proc / "exe")

    def pid(self):
        return int(self.pid_file.read_text())

    def is_running(self):
        try:
            state = pathlib.Path(f"/proc/{self.pid()}/stat").read_text().rsplit(")", 1)[1].split()[0]
            return state != "Z" and os.readlink(f"/proc/{self.pid()}/exe") == self.program
        except (OSError, ValueError):
            return False

    def send_signal(self, number):
        os.kill(self.pid(), number)

    def end(self, number=signal.SIGKILL):
        self.send_signal(number)
        await_true(lambda: not self.is_running(), WAIT_S, f"{self.name} has ended")

    def start(self):
        if not self.is_running():
            self.pid_file.unlink(missing_ok=True)
            with open(self.pid_file.parents[1] / "log/restart.log", "ab") as log:
                subprocess.Popen(self.arguments, executable=self.program, env=self.environment, cwd=self.folder,
                                 start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        await_true(lambda: self.pid_file.exists() and self.is_running(), WAIT_S, f"{self.name} runs")


class Stack:
    """The servers of script/stack. Members of the replica set are named by host, so that each worker reaches them
    through its own proxies."""

    def __init__(self, folder):
        self.folder = folder
        self.script = [str(ROOT / "script/stack"), "--dir", str(folder)]

    def up(self):
        subprocess.run(self.script + ["up"], check=True)
        text = subprocess.run(self.script + ["env"], check=True, capture_output=True, text=True).stdout
        self.env = dict(word.split("=", 1) for word in shlex.split(text) if "=" in word)
        self.mongo_ports = [int(port) for port in re.findall(r":(\d+)", self.env["ALLOT_MONGODB_URI"])]
        self.amqp_port = int(re.search(r"@127.0.0.1:(\d+)", self.env["ALLOT_AMQP_URI"]).group(1))
        self.name_members()
        self.broker = Server("broker", self.env["ALLOT_STACK_RABBITMQ_PIDFILE"])
        self.nodes = [Server(f"mongod-{i}", file)
                      for i, file in enumerate(self.env["ALLOT_STACK_MONGOD_PIDFILES"].split(), 1)]

    def name_members(self):
        hosts = ",".join(f"localhost:{port}" for port in self.mongo_ports)
        self.mongo_uri = f"mongodb://{hosts}/?replicaSet=allot"
        with pymongo.MongoClient(self.env["ALLOT_MONGODB_URI"]) as client:
            config = client.admin.command("replSetGetConfig")["config"]
            for member in config["members"]:
                member["host"] = member["host"].replace("127.0.0.1", "localhost")
            config["version"] += 1
            client.admin.command("replSetReconfig", config)

    def down(self):
        subprocess.run(self.script + ["down"], check=False)

    def rabbitmqctl(self, *arguments):
        done = subprocess.run(self.script + ["rabbitmqctl", "-q", *arguments], capture_output=True, text=True,
                              timeout=90, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"rabbitmqctl {arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def close_connections(self, user=None):
        """Closes all connections to the broker that a user, or anybody, has now. Returns how many it has closed."""
        connections = CONNECTIONS_OF_USER.format(user=user) if user else "rabbit_networking:connections()"
        return self.rabbitmqctl("eval", CLOSE_CONNECTIONS.format(connections=connections)).count("closed")

    def client(self, **options):
        return pymongo.MongoClient(self.mongo_uri, serverSelectionTimeoutMS=30000, **options)

    def node(self, port, patience_ms=5000):
        return pymongo.MongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=1000,
                                   connectTimeoutMS=1000, socketTimeoutMS=patience_ms)

    def primary_port(self):
        """The port of the primary; None while no node answers as primary."""
        for port in self.mongo_ports:
            try:
                with self.node(port) as client:
                    if client.admin.command("hello")["isWritablePrimary"]:
                        return port
            except pymongo.errors.PyMongoError:
                continue
        return None

    def server_of(self, port):
        return self.nodes[self.mongo_ports.index(port)]


def address(worker):
    """The loopback address of a worker's proxies; all servers are reached through it."""
    return f"127.0.0.{worker + 2}"


class Proxy:
    """A toxiproxy between one worker and one side, `broker` or `database`.

    `restart` ends a fault by killing the process and starting a new one. Removing a toxic instead would wait for
    the data that the toxic holds, and a stream that lost data would go on as if it were complete.
    """

    def __init__(self, worker, side, ports, api_port, log):
        self.worker, self.side, self.ports, self.api_port, self.log = worker, side, ports, api_port, log
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [os.environ["ALLOT_CHAOS_TOXIPROXY"], "-host", "127.0.0.1", "-port", str(self.api_port)],
                env=dict(os.environ, LOG_LEVEL="error"), stdout=log, stderr=log, start_new_session=True)
        await_true(self.answers, 20, "toxiproxy answers")
        for port in self.ports:
            self.call("POST", "/proxies", {"name": str(port), "listen": f"{address(self.worker)}:{port}",
                                           "upstream": f"127.0.0.1:{port}", "enabled": True})

    def answers(self):
        try:
            self.call("GET", "/version")
            return True
        except OSError:
            return False

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.api_port}{path}", data,
                                         {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as reply:
            reply.read()

    def add(self, kind, stream, attributes):
        for port in self.ports:
            self.call("POST", f"/proxies/{port}/toxics", {"name": f"{kind}-{stream}", "type": kind, "stream": stream,
                                                          "attributes": attributes})

    def flap(self, reset):
        """Ends every connection, by FIN or by RST; new connections are accepted at once."""
        if reset:
            self.add("reset_peer", "downstream", {"timeout": 0})
        for port in self.ports:
            self.call("POST", f"/proxies/{port}", {"enabled": False})
        if reset:
            for port in self.ports:
                self.call("DELETE", f"/proxies/{port}/toxics/reset_peer-downstream")
        for port in self.ports:
            self.call("POST", f"/proxies/{port}", {"enabled": True})

    def cut(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def restart(self):
        self.cut()
        self.start()


class Worker:
    """An allotd process in its own mount namespace, where /etc/hosts leads to its own proxies."""

    def __init__(self, index, stack, program, folder, journal, database):
        self.index = index
        self.name = f"chaos-{index}"
        self.program = program
        self.journal = journal
        if not self.program.exists():
            raise FileNotFoundError(f"{self.program} is missing: build it first (chaos/README.md)")
        self.log = folder / f"{self.name}.log"
        self.hosts = folder / f"{self.name}.hosts"
        self.clock = folder / f"{self.name}.clock"
        self.disk = folder / f"{self.name}.disk"
        self.disk.mkdir()
        self.hosts.write_text(f"{address(index)} localhost\n")
        self.clock.write_text("+0\n")
        self.process = None
        self.expected = True  # whether its end is expected
        uri = stack.env["ALLOT_AMQP_URI"].replace("127.0.0.1", address(index))
        self.environment = dict(os.environ, ALLOT_AMQP_URI=uri, ALLOT_MONGODB_URI=stack.mongo_uri,
                                ALLOT_MONGODB_DATABASE=database, ALLOT_POLICY_FILE=stack.env["ALLOT_POLICY_FILE"],
                                ALLOT_WORKER_NAME=self.name, ALLOT_AMQP_HEARTBEAT="4s")
        self.faked = False
        self.tool = []  # the command it runs under, such as valgrind

    def can_fake_time(self):
        if not FAKETIME.exists():
            raise FileNotFoundError(f"{FAKETIME} is missing: run script/bootstrap --tests")
        libraries = subprocess.run(["ldd", self.program], capture_output=True, text=True, check=False).stdout
        return "asan" not in libraries and "tsan" not in libraries

    def start(self, errors=None, on_full_disk=False):
        words = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                 MOUNT_FULL_DISK if on_full_disk else MOUNT_HOSTS, str(self.hosts)]
        if on_full_disk:
            words.append(str(self.disk))
        environment = dict(self.environment, **({"ALLOT_LOG_LEVEL": "debug"} if on_full_disk else {}))  # soon full
        if self.faked:
            words += ["env", f"LD_PRELOAD={FAKETIME}", f"FAKETIME_TIMESTAMP_FILE={self.clock}",
                      "FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
        words += [*self.tool, str(self.program), "--config", str(ROOT / "config/allotd.example.yaml")]
        with open(errors or self.log, "ab") as log:
            self.process = subprocess.Popen(words, env=environment, cwd=ROOT, start_new_session=True,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.expected = False
        await_true(lambda: self.handles_signals() or not self.is_running(), WAIT_S, f"{self.name} handles SIGTERM")

    def handles_signals(self):
        """Whether SIGTERM starts a graceful shutdown already; before that it would kill the process."""
        if self.tool:
            return '"worker.started"' in self.log.read_text(errors="replace")
        try:
            lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            program = os.path.samefile(f"/proc/{self.process.pid}/exe", self.program)
        except OSError:
            return False
        masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigBlk", "SigCgt"))]
        return program and any(mask >> (signal.SIGTERM - 1) & 1 for mask in masks)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def proc(self, name=""):
        return pathlib.Path("/proc") / str(self.process.pid) / name

    def count_descriptors(self):
        return len(os.listdir(self.proc("fd")))

    def count_threads(self):
        return len(os.listdir(self.proc("task")))

    def resident_kb(self):
        return int(re.search(r"^VmRSS:\s+(\d+)", self.proc("status").read_text(), re.MULTILINE).group(1))

    def links(self, ports):
        """The local ports of its established connections to these ports, through its proxy."""
        far = bytes(reversed(bytes(map(int, address(self.index).split("."))))).hex().upper()
        ends, established = {f"{far}:{port:04X}" for port in ports}, "01"
        rows = [row.split() for row in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return {row[1] for row in rows if row[2] in ends and row[3] == established}

    def is_disk_full(self):
        """Whether the disk that only this worker sees is full."""
        return os.statvfs(self.proc(f"root{self.disk}")).f_bavail == 0

    def make_room(self):
        self.proc(f"root{self.disk}/filler").unlink()

    def send_signal(self, number):
        os.kill(self.process.pid, number)

    def end(self, number, seconds=40):
        """Sends the signal and returns the exit status; None if the worker had to be killed after `seconds`."""
        self.expected = True
        if not self.is_running():
            return self.process.returncode if self.process else 0
        self.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def restart_if_crashed(self):
        """Records a worker that ended by itself as a crash, and starts it again."""
        if self.expected or self.is_running():
            return
        self.journal.note("crash", worker=self.name, status=self.process.returncode)
        self.start()
