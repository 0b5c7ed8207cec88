#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Helpers of script/stack for the private broker. Uses the standard library only.

    broker.py ports COUNT         print COUNT free loopback ports below the ephemeral range, on one line
    broker.py free PORT...        exit 0 if no process listens on any of these ports
    broker.py definitions         read lines "NAME PASSWORD" and print the broker's definitions (JSON)
    broker.py login SECONDS       read a URI; return when its user can open the virtual host "/"
"""
import base64
import hashlib
import json
import os
import random
import socket
import struct
import sys
import time
from urllib.parse import unquote, urlsplit

HOST = "127.0.0.1"
PORT_MIN, PORT_MAX = 20000, 32000
TIMEOUT_S = 5.0
POLL_S = 0.1
FRAME_END = b"\xce"

# The least permissions that each user needs. To declare a queue with a dead-letter exchange, a user needs read on the
# queue and write on the exchange. To bind, write on the queue and read on the exchange. "amq.default" is the default
# exchange.
# "monitoring": looks into the management API. "impersonator": replays commands in the names of their principals.
TAGS = {"operator": "monitoring,impersonator", "admin": "administrator"}
OWN = r"^({0}\..*|amq\.gen-.*)$"
PUBLISH = r"^(allot\.commands|{0}\..*|amq\.gen-.*)$"
PERMISSIONS = {
    "worker": {"configure": r"^allot\.", "write": r"^(amq\.default|allot\..*)$", "read": r"^allot\."},
    "admin": {"configure": ".*", "write": ".*", "read": ".*"},
    "operator": {"configure": r"^(allot|operator)\.", "write": r"^allot\.", "read": r"^(allot|operator)\."},
    "conductor": {"configure": OWN.format("conductor"), "write": PUBLISH.format("conductor"),
                  "read": OWN.format("conductor")},
    "team-blue": {"configure": OWN.format("team-blue"), "write": PUBLISH.format("team-blue"),
                  "read": OWN.format("team-blue")},
}


def is_free(port):
    """Tells whether a server could listen on the port. Connections in TIME_WAIT do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen()
        except OSError:
            return False
    return True


def free_ports(count):
    """Returns `count` free ports in a row. The first is a multiple of `count` away from PORT_MIN, so that two stacks
    that start at the same time rarely choose overlapping ports."""
    starts = list(range(PORT_MIN, PORT_MAX - count, count))
    random.SystemRandom().shuffle(starts)
    for start in starts:
        ports = range(start, start + count)
        if all(is_free(port) for port in ports):
            return ports
    raise OSError(f"no {count} free ports in a row between {PORT_MIN} and {PORT_MAX}")


def password_hash(password):
    salt = os.urandom(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(passwords):
    """Returns users, virtual host and permissions. A broker that loads definitions creates no default user."""
    return {
        "vhosts": [{"name": "/"}],
        "users": [{"name": name, "password_hash": password_hash(password), "tags": TAGS.get(name, ""),
                   "hashing_algorithm": "rabbit_password_hashing_sha256"} for name, password in passwords.items()],
        "permissions": [{"user": name, "vhost": "/", **PERMISSIONS[name]} for name in passwords],
    }


def read_exactly(link, size):
    data = b""
    while len(data) < size:
        part = link.recv(size - len(data))
        if not part:
            raise ConnectionError("connection closed by the broker")
        data += part
    return data


def read_method(link):
    """Reads the next frame, on channel 0. Returns its (class, method) and the encoded arguments."""
    _, _, size = struct.unpack(">BHI", read_exactly(link, 7))
    payload = read_exactly(link, size + 1)[:-1]
    return struct.unpack_from(">HH", payload), payload[4:]


def send_method(link, method, arguments):
    payload = struct.pack(">HH", *method) + arguments
    link.sendall(struct.pack(">BHI", 1, 0, len(payload)) + payload + FRAME_END)


def short_string(text):
    return bytes([len(text)]) + text


def long_string(text):
    return struct.pack(">I", len(text)) + text


def expect(link, method):
    got, arguments = read_method(link)
    if got != method:
        raise ConnectionError(f"expected AMQP method {method}, got {got}")
    return arguments


def login(uri):
    """Opens an AMQP 0-9-1 connection (connection.start to connection.open-ok) and closes it."""
    at = urlsplit(uri)
    with socket.create_connection((at.hostname, at.port), TIMEOUT_S) as link:
        link.settimeout(TIMEOUT_S)
        link.sendall(b"AMQP\0\0\x09\x01")
        expect(link, (10, 10))
        response = b"\0" + unquote(at.username).encode() + b"\0" + unquote(at.password).encode()
        properties = struct.pack(">I", 0)
        send_method(link, (10, 11),
                    properties + short_string(b"PLAIN") + long_string(response) + short_string(b"en_US"))
        send_method(link, (10, 31), expect(link, (10, 30)))
        send_method(link, (10, 40), short_string(b"/") + short_string(b"") + b"\0")
        expect(link, (10, 41))
        send_method(link, (10, 50), struct.pack(">H", 200) + short_string(b"") + struct.pack(">HH", 0, 0))
        expect(link, (10, 51))


def await_login(uri, seconds):
    deadline = time.monotonic() + seconds
    while True:
        try:
            return login(uri)
        except OSError as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no login after {seconds} s: {error}") from error
        time.sleep(POLL_S)


def main(arguments):
    verb, rest = arguments[0], arguments[1:]
    if verb == "ports":
        print(*free_ports(int(rest[0])))
    elif verb == "free":
        taken = [port for port in rest if not is_free(int(port))]
        if taken:
            raise OSError(f"in use by another process: port {', '.join(taken)}")
    elif verb == "definitions":
        json.dump(definitions(dict(line.split() for line in sys.stdin)), sys.stdout, indent=1)
    elif verb == "login":
        await_login(sys.stdin.read().strip(), float(rest[0]))
    else:
        raise ValueError(f"unknown command '{verb}'")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (OSError, ValueError, IndexError, KeyError) as error:
        sys.exit(f"broker: {error}")
