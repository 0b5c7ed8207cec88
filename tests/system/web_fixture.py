# SPDX-License-Identifier: Apache-2.0
"""A worker, letters and `allotctl web`, for the tests of the page. Everything is in a database of its own, which is
dropped at the end; the servers are those of the environment (script/stack env)."""

import atexit
import base64
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import uuid

WAIT_S = 60
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "script", "lib"))

import broker  # noqa: E402 - the folder is on the path only now
import replset  # noqa: E402


def wait_for(what, probe):
    """Calls `probe` until it returns something true, which is returned."""
    end = time.monotonic() + WAIT_S
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {WAIT_S} s")
        time.sleep(0.05)


class Service:
    """The programs of one build, and a database for them."""

    def __init__(self, bin_dir):
        self.bin = os.path.abspath(bin_dir)
        self.work = tempfile.mkdtemp(prefix="allot-web-")
        self.database = f"web-{os.getpid()}"
        self.environment = dict(os.environ, ALLOT_MONGODB_DATABASE=self.database, ALLOT_WORKER_NAME="worker-1")
        self.operator = dict(self.environment, ALLOT_AMQP_URI=os.environ["ALLOT_AMQP_URI_OPERATOR"], SUDO_USER="ann")
        self.processes = []
        self.worker = None
        atexit.register(self.end)

    def program(self, name):
        return os.path.join(self.bin, name)

    def start(self, arguments, environment, **options):
        process = subprocess.Popen(arguments, env=environment, cwd=ROOT, **options)
        self.processes.append(process)
        return process

    def start_worker(self, **settings):
        log = os.path.join(self.work, "allotd.log")
        environment = dict(self.environment, ALLOT_LOG_FORMAT="json", **settings)
        with open(log, "ab") as stream:
            self.worker = self.start([self.program("allotd"), "--config", "config/allotd.example.yaml"], environment,
                                     stderr=stream)
        events = ("broker.connected", "storage.ready")
        wait_for("the worker is ready", lambda: all(f'"{event}"' in open(log).read() for event in events))

    def stop_worker(self):
        self.worker.send_signal(signal.SIGTERM)
        self.worker.wait(WAIT_S)

    def ctl(self, *arguments, input=None, environment=None, status=0):
        """Runs allotctl; returns its output."""
        done = subprocess.run([self.program("allotctl"), *arguments], input=input, capture_output=True, text=True,
                              env=environment or self.operator, cwd=ROOT, timeout=WAIT_S)
        if status is not None and done.returncode != status:
            raise AssertionError(f"allotctl {arguments}: {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def send(self, *commands, reply_to=None):
        """Sends commands as the user conductor; returns the replies. With `reply_to` nobody waits for any."""
        environment = dict(self.environment, ALLOT_AMQP_URI=os.environ["ALLOT_AMQP_URI_CONDUCTOR"])
        lines = "".join(json.dumps(command) + "\n" for command in commands)
        more = ["--reply-to", reply_to, "--no-wait"] if reply_to else []
        output = self.ctl("send", *more, "-", input=lines, environment=environment, status=None)
        return [json.loads(line) for line in output.splitlines()]

    def letters(self, *filters):
        return [json.loads(line) for line in self.ctl("letter", "list", "--json", *filters).splitlines()]

    def import_letters(self, documents):
        """Stores letters as `letter export` prints them."""
        path = os.path.join(self.work, "letters.jsonl")
        with open(path, "w") as stream:
            stream.writelines(json.dumps(document) + "\n" for document in documents)
        return self.ctl("letter", "import", path)

    def end(self):
        for process in reversed(self.processes):  # a worker before its database
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
        if self.work is not None:
            drop_database(self)
            shutil.rmtree(self.work, ignore_errors=True)
            self.work = None


def drop_database(service):
    """Asks each member: only the primary does it."""
    hosts = re.fullmatch(r"mongodb://(?:.*@)?([^/?]+).*", service.environment["ALLOT_MONGODB_URI"])[1]
    for host in hosts.split(","):
        try:
            replset.command(int(host.rsplit(":", 1)[1]), {"dropDatabase": 1}, service.database)
        except OSError:
            pass


class Web:
    """A running `allotctl web`."""

    def __init__(self, service, *arguments):
        self.log = os.path.join(service.work, f"web-{len(service.processes)}.log")
        with open(self.log, "wb") as stream:
            self.process = service.start([service.program("allotctl"), "web", *arguments], service.operator,
                                         stdout=subprocess.PIPE, stderr=stream, text=True)
        self.url = self.process.stdout.readline().strip()
        match = re.fullmatch(r"http://(.+):(\d+)/\?token=([0-9a-f]{64})", self.url)
        if match is None:
            raise AssertionError(f"no URL, but {self.url!r}: {open(self.log).read()}")
        self.address, self.port, self.token = match[1], int(match[2]), match[3]
        self.host = f"{self.address}:{self.port}"
        self.cookie = None
        self.csrf = None

    def request(self, method, path, body=None, headers=None, host=None, cookie=True):
        """Sends one request; returns status, headers and body. Without `headers` it is what a browser sends."""
        connection = http.client.HTTPConnection(self.address.strip("[]"), self.port, timeout=WAIT_S)
        sent = dict(headers or {})
        if host is None:
            host = self.host
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        if host:
            connection.putheader("Host", host)
        if cookie and self.cookie:
            sent.setdefault("Cookie", self.cookie)
        if body is not None:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
            sent.setdefault("Content-Length", str(len(body)))
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders(body.encode() if isinstance(body, str) else body)
        response = connection.getresponse()
        text = response.read().decode("utf-8")  # a page is always valid
        connection.close()
        return response.status, response.headers, text

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def log_in(self):
        status, headers, _ = self.request("GET", f"/?token={self.token}", cookie=False)
        assert status == 303, status
        self.cookie = headers["Set-Cookie"].split(";")[0]

    def read_csrf(self, path):
        """Returns the CSRF token of a form on a page."""
        self.csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get(path)[2])[1]
        return self.csrf

    def post(self, path, fields, headers=None, **options):
        from urllib.parse import urlencode
        sent = {"Origin": f"http://{self.host}"} if headers is None else headers
        return self.request("POST", path, body=urlencode(fields, doseq=True), headers=sent, **options)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(WAIT_S)


# --- what the tests store ---


def provider_uuid(number):
    return f"5a4f0e1c-0000-4000-8000-{number:012d}"


def consumer_uuid(number):
    return f"c0ffee00-0000-4000-8000-{number:012d}"


def command(name, params, key=None):
    body = {"version": 1, "command": name, "params": params}
    return {"message_id": key, "body": body} if key else body


def create(number, name, inventories, parent=None):
    """Commands that create a provider with its inventories."""
    params = {"uuid": provider_uuid(number), "name": name}
    if parent is not None:
        params["parent_provider_uuid"] = provider_uuid(parent)
    commands = [command("provider.create", params)]
    if inventories:
        commands.append(command("inventory.set", {"uuid": provider_uuid(number), "resource_provider_generation": 0,
                                                  "inventories": inventories}))
    return commands


def allocate(consumer, amounts, project="blue-web", key=None, user="ann", kind="INSTANCE"):
    """A command that gives a new consumer amounts on providers: {number: {class: amount}}."""
    allocations = {provider_uuid(number): {"resources": resources} for number, resources in amounts.items()}
    return command("allocation.set", {
        "consumer_uuid": consumer_uuid(consumer), "project_id": project, "user_id": user, "consumer_generation": None,
        "consumer_type": kind, "allocations": allocations}, key)


def field_table(headers):
    """Encodes headers whose names and values are bytes."""
    entries = b"".join(struct.pack("B", len(name)) + name + b"S" + struct.pack(">I", len(value)) + value
                       for name, value in headers.items())
    return struct.pack(">I", len(entries)) + entries


def binary(data, kind="00"):
    return {"$binary": {"base64": base64.b64encode(data).decode(), "subType": kind}}


def text(value):
    """A text as letters have it: a binary if it is not UTF-8."""
    if isinstance(value, str):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return binary(value)


def number(value):
    return {"$numberLong": str(value)}


def letter(body, reason, detail, name=None, principal="conductor", age_s=3600, state="open", count=1, headers=None,
           properties=None, key=None, project="blue-web", providers=(), consumers=(), group=None):
    """A letter as `letter export` prints it. Texts may be bytes."""
    body = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    key = key or str(uuid.uuid4())
    last = int(time.time() * 1000) - age_s * 1000
    date = {"$date": {"$numberLong": str(last)}}
    first = {"$date": {"$numberLong": str(last - (count - 1) * 60000)}}
    sent = {"content_type": "application/json", "message_id": key, "user_id": principal, **(properties or {})}
    encoded = field_table(headers or {})
    digest = hashlib.sha256(body).hexdigest()
    document = {
        "_id": letter_id("allot.commands", principal, key, digest), "source": "worker", "state": state, "attempts": number(0), "reason": text(reason),
        "detail": text(detail), "principal": text(principal), "key": text(key), "project": text(project),
        "group": text(group or group_of(reason, name, detail)), "queue": "allot.commands", "worker": "worker-1",
        "consumers": [binary(uuid.UUID(one).bytes, "04") for one in consumers],
        "providers": [binary(uuid.UUID(one).bytes, "04") for one in providers],
        "properties": {one: text(value) for one, value in sent.items()}, "headers": binary(encoded),
        "body": binary(body), "body_size": number(len(body)), "body_sha256": digest,
        "bytes": number(len(body) + len(encoded) + 3000), "count": number(count), "first_at": first, "last_at": date,
        "published_at": date, "expires_at": {"$date": {"$numberLong": str(last + 14 * 86400000)}},
        "history": [{"at": date, "reason": text(reason), "detail": text(detail), "worker": "worker-1"}],
    }
    if name is not None:
        document["command"] = text(name)
    return document


def sendable(consumer, **more):
    """A letter whose command would succeed once provider 1 has a free VCPU."""
    return letter(allocate(consumer, {1: {"VCPU": 1}}), "forbidden", "the policy did not allow it", "allocation.set",
                  **more)


def letter_id(*texts):
    """The digest of queue, principal, key and body_sha256, each after its length (letter_id in letter_build.c)."""
    digest = hashlib.sha256()
    for one in texts:
        data = one if isinstance(one, bytes) else one.encode()
        digest.update(struct.pack(">Q", len(data)) + data)
    return digest.hexdigest()[:32]


def group_of(reason, name, detail):
    """The group as workers make it: words with digits differ from letter to letter."""
    if isinstance(detail, bytes):
        return "hostile"
    return f"{reason}|{name or ''}|" + re.sub(r"[\w.-]*\d[\w.-]*", "#", detail)


def lacks_capacity(consumer, provider, requested, free, **more):
    """The letter of an allocation that did not fit."""
    detail = (f"insufficient capacity of VCPU on provider {provider_uuid(provider)}: the command requests {requested}, "
              f"free {free}")
    return letter(allocate(consumer, {provider: {"VCPU": requested}}), "capacity_exceeded", detail, "allocation.set",
                  providers=[provider_uuid(provider)],
                  consumers=[consumer_uuid(consumer)], **more)


# --- a world as an installation may have it ---

RACKS, NODES = 3, 4


def node_number(rack, node):
    return 100 * rack + node


def seed_providers(service):
    """Racks with compute nodes, and a storage pool; some are nearly full."""
    commands = []
    for rack in range(1, RACKS + 1):
        commands += create(100 * rack, f"rack-{chr(96 + rack)}", None)
        for node in range(1, NODES + 1):
            commands += create(node_number(rack, node), f"compute-{chr(96 + rack)}{node}", {
                "VCPU": {"total": 32, "reserved": 2, "allocation_ratio": 4.0},
                "MEMORY_MB": {"total": 262144, "reserved": 8192},
                "DISK_GB": {"total": 1800, "reserved": 100},
            }, parent=100 * rack)
    commands += create(900, "storage-pool-1", {"DISK_GB": {"total": 80000, "reserved": 4000}})
    commands += create(901, "gpu-pool-1", {"CUSTOM_GPU": {"total": 16}, "VCPU": {"total": 64, "allocation_ratio": 2.0}})
    consumer = 1000
    for rack in range(1, RACKS + 1):
        for node in range(1, NODES + 1):
            for place in range(3 + (rack * 5 + node * 3) % 7):
                consumer += 1
                amounts = {node_number(rack, node): {"VCPU": 4 + 4 * (place % 3), "MEMORY_MB": 8192 + 8192 * (place % 4),
                                                     "DISK_GB": 80 + 40 * (place % 5)}}
                project = ("blue-web", "blue-batch", "green-ml", "red-ci")[consumer % 4]
                commands.append(allocate(consumer, amounts, project))
    commands.append(allocate(2001, {900: {"DISK_GB": 52000}}, "green-ml", kind="VOLUME"))
    commands.append(allocate(2002, {901: {"CUSTOM_GPU": 14, "VCPU": 96}}, "green-ml"))
    replies = service.send(*commands)
    failed = [reply for reply in replies if reply["status"] != "success"]
    assert len(replies) == len(commands) and not failed, failed[:3]
    service.send(command("inventory.set", {"uuid": provider_uuid(901), "resource_provider_generation": 2, "inventories": {
        "CUSTOM_GPU": {"total": 12}, "VCPU": {"total": 64, "allocation_ratio": 2.0}}}))


def realistic_letters():
    """Letters of some hours, in groups of different sizes."""
    letters = [lacks_capacity(3000 + i, 901 if i % 5 == 0 else node_number(1 + i % 3, 1 + i % 4), 96 + i, 40 - i,
                              age_s=400 + 310 * i) for i in range(14)]
    letters += [letter(allocate(3100 + i, {777: {"VCPU": 2}}, "green-ml"), "provider_not_found",
                       f"provider {provider_uuid(777)} not found", "allocation.set", age_s=5200 + 700 * i,
                       project="green-ml", providers=[provider_uuid(777)], consumers=[consumer_uuid(3100 + i)])
                for i in range(6)]
    letters += [letter(allocate(3200 + i, {101: {"VCPU": 2}}, "red-ci"), "forbidden",
                       "team-blue may not run allocation.set on project red-ci", "allocation.set",
                       principal="team-blue", age_s=9000 + 1300 * i, project="red-ci",
                       consumers=[consumer_uuid(3200 + i)]) for i in range(4)]
    letters += [letter(b'{"version":1,"command":"allocation.set","params":{"consumer_uuid":', "malformed",
                       "invalid JSON at byte 66: unexpected end of the body", age_s=15000, principal="team-blue",
                       project="")]
    letters += [letter(command("allocation.delete", {"consumer_uuid": consumer_uuid(1001), "consumer_generation": 1}),
                       "deadline_exceeded", "the deadline had passed when the command was planned",
                       "allocation.delete", age_s=88000 + 60 * i, count=1 + i, consumers=[consumer_uuid(1001)])
                for i in range(2)]
    letters += [letter(allocate(3300, {101: {"VCPU": 1}}), "expired", "queue allot.commands, once", "allocation.set",
                       age_s=170000)]
    return letters


# --- the runner of tests ---


def run_tests(tests):
    """Runs each function; prints one line for each, and ends the process with the status."""
    failed = 0
    for test in tests:
        try:
            test()
            print(f"[       OK ] {test.__name__}", flush=True)
        except Exception:  # noqa: BLE001 - a test may fail in any way
            failed = 1
            print(f"[  FAILED  ] {test.__name__}", flush=True)
            traceback.print_exc(file=sys.stdout)
    sys.exit(failed)
