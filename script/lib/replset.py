#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Initiates a MongoDB replica set and tells its members' states, with nothing but the standard library.

    replset.py ensure NAME SECONDS PORT...   initiate if it never was; return once one member is primary, all others secondary
    replset.py state PORT...                 one line "PORT STATE" a member

It speaks just enough of the wire protocol for that: OP_MSG with one body section, and the BSON types that such
commands and their replies are made of. It must not grow into a driver.
"""
import socket
import struct
import sys
import time

HOST = "127.0.0.1"
OP_MSG = 2013
CONNECT_TIMEOUT_S = 2.0
REPLY_TIMEOUT_S = 5.0
POLL_S = 0.1
ALREADY_INITIALIZED = 23

# A process that is not up answers none of these; the rest are the server's own names.
STATES = {0: "STARTUP", 1: "PRIMARY", 2: "SECONDARY", 3: "RECOVERING", 5: "STARTUP2",
          6: "UNKNOWN", 7: "ARBITER", 8: "DOWN", 9: "ROLLBACK", 10: "REMOVED"}


def encode(document):
    """A dict as a BSON document."""
    out = b""
    for key, value in document.items():
        kind, body = encode_value(value)
        out += bytes([kind]) + key.encode() + b"\0" + body
    return struct.pack("<i", len(out) + 5) + out + b"\0"


def encode_value(value):
    if isinstance(value, bool):
        return 0x08, bytes([value])
    if isinstance(value, int):
        return 0x10, struct.pack("<i", value)
    if isinstance(value, str):
        text = value.encode() + b"\0"
        return 0x02, struct.pack("<i", len(text)) + text
    if isinstance(value, dict):
        return 0x03, encode(value)
    if isinstance(value, list):
        return 0x04, encode({str(i): item for i, item in enumerate(value)})
    raise TypeError(f"no BSON type for {type(value).__name__}")


def decode(data, at=0):
    """The BSON document at an offset, as a dict."""
    end = at + struct.unpack_from("<i", data, at)[0] - 1
    at += 4
    document = {}
    while at < end:
        kind = data[at]
        stop = data.index(b"\0", at + 1)
        key = data[at + 1:stop].decode()
        document[key], at = decode_value(data, stop + 1, kind)
    return document


# kind: (length, struct format); a type of which only the length matters has no format.
FIXED = {0x01: (8, "<d"), 0x07: (12, None), 0x08: (1, "<?"), 0x09: (8, "<q"), 0x0A: (0, None), 0x10: (4, "<i"),
         0x11: (8, "<Q"), 0x12: (8, "<q"), 0x13: (16, None)}


def decode_value(data, at, kind):
    """The value at an offset, and the offset after it."""
    if kind in FIXED:
        length, form = FIXED[kind]
        return struct.unpack_from(form, data, at)[0] if form else data[at:at + length], at + length
    length = struct.unpack_from("<i", data, at)[0]
    if kind == 0x02:
        return data[at + 4:at + 3 + length].decode(), at + 4 + length
    if kind == 0x03:
        return decode(data, at), at + length
    if kind == 0x04:
        return list(decode(data, at).values()), at + length
    if kind == 0x05:
        return data[at + 5:at + 5 + length], at + 5 + length
    raise ValueError(f"BSON type 0x{kind:02x} not expected in a reply")


def read_exactly(link, size):
    data = b""
    while len(data) < size:
        part = link.recv(size - len(data))
        if not part:
            raise ConnectionError("connection closed")
        data += part
    return data


def command(port, document):
    """Runs one command on a member's admin database over a connection of its own."""
    body = struct.pack("<I", 0) + b"\0" + encode({**document, "$db": "admin"})
    with socket.create_connection((HOST, port), CONNECT_TIMEOUT_S) as link:
        link.settimeout(REPLY_TIMEOUT_S)
        link.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, OP_MSG) + body)
        size = struct.unpack("<i", read_exactly(link, 4))[0]
        reply = read_exactly(link, size - 4)
    return decode(reply, 12 + 4 + 1)


def state(port):
    """A member's own view of its state."""
    try:
        reply = command(port, {"replSetGetStatus": 1})
    except OSError:
        return "DOWN"
    if reply.get("ok") != 1:
        return reply.get("codeName", "UNKNOWN")
    return STATES.get(reply["myState"], "UNKNOWN")


def is_ready(ports):
    """One primary that accepts writes, and every other member a secondary."""
    states = [state(port) for port in ports]
    if sorted(states) != ["PRIMARY"] + ["SECONDARY"] * (len(ports) - 1):
        return False
    return command(ports[states.index("PRIMARY")], {"hello": 1}).get("isWritablePrimary") is True


def initiate(name, ports):
    """Members of equal priority: one that comes back from a fault takes no primary's place from it."""
    config = {
        "_id": name,
        "members": [{"_id": i, "host": f"{HOST}:{port}"} for i, port in enumerate(ports)],
        "settings": {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500},
    }
    reply = command(ports[0], {"replSetInitiate": config})
    if reply.get("ok") != 1 and reply.get("code") != ALREADY_INITIALIZED:
        raise RuntimeError(f"replSetInitiate: {reply.get('errmsg')}")


def ensure(name, seconds, ports):
    deadline = time.monotonic() + seconds
    while True:
        if state(ports[0]) == "NotYetInitialized":
            initiate(name, ports)
        if is_ready(ports):
            return
        if time.monotonic() > deadline:
            states = ", ".join(f"{port} {state(port)}" for port in ports)
            raise TimeoutError(f"replica set not ready after {seconds} s: {states}")
        time.sleep(POLL_S)


def main(arguments):
    if arguments[0] == "ensure":
        ensure(arguments[1], int(arguments[2]), [int(port) for port in arguments[3:]])
    elif arguments[0] == "state":
        for port in arguments[1:]:
            print(port, state(int(port)))
    else:
        raise ValueError(f"unknown command {arguments[0]}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (OSError, RuntimeError, ValueError, IndexError) as error:
        sys.exit(f"replset: {error}")
