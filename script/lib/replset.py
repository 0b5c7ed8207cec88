#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Initiates a MongoDB replica set and prints its members' states. Uses the standard library only.

    replset.py ensure NAME SECONDS PORT...   initiate the replica set if needed; return when one member is primary
                                             and all others are secondary
    replset.py state PORT...                 print one line "PORT STATE" per member

A driver would be one more package to install, so this file implements the small part of the wire protocol that it
needs: OP_MSG with one body section, and the BSON types of these commands and replies. Nothing else belongs here.
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

# Names of member states, as in the MongoDB manual. A member that does not answer counts as DOWN.
STATES = {0: "STARTUP", 1: "PRIMARY", 2: "SECONDARY", 3: "RECOVERING", 5: "STARTUP2",
          6: "UNKNOWN", 7: "ARBITER", 8: "DOWN", 9: "ROLLBACK", 10: "REMOVED"}


def encode(document):
    """Encodes a dict as a BSON document."""
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
    """Decodes the BSON document at offset `at` to a dict."""
    end = at + struct.unpack_from("<i", data, at)[0] - 1
    at += 4
    document = {}
    while at < end:
        kind = data[at]
        stop = data.index(b"\0", at + 1)
        key = data[at + 1:stop].decode()
        document[key], at = decode_value(data, stop + 1, kind)
    return document


# BSON type: (length, struct format). A type whose value is not needed has no format.
FIXED = {0x01: (8, "<d"), 0x07: (12, None), 0x08: (1, "<?"), 0x09: (8, "<q"), 0x0A: (0, None), 0x10: (4, "<i"),
         0x11: (8, "<Q"), 0x12: (8, "<q"), 0x13: (16, None)}


def decode_value(data, at, kind):
    """Decodes the value at offset `at`. Returns the value and the offset after it."""
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
    raise ValueError(f"unexpected BSON type 0x{kind:02x} in a reply")


def read_exactly(link, size):
    data = b""
    while len(data) < size:
        part = link.recv(size - len(data))
        if not part:
            raise ConnectionError("connection closed")
        data += part
    return data


def command(port, document, database="admin"):
    """Runs one command on a database of the member, over a new connection. Returns the reply."""
    body = struct.pack("<I", 0) + b"\0" + encode({**document, "$db": database})
    with socket.create_connection((HOST, port), CONNECT_TIMEOUT_S) as link:
        link.settimeout(REPLY_TIMEOUT_S)
        link.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, OP_MSG) + body)
        size = struct.unpack("<i", read_exactly(link, 4))[0]
        reply = read_exactly(link, size - 4)
    return decode(reply, 12 + 4 + 1)


def state(port):
    """Returns the state of a member, as the member sees itself."""
    try:
        reply = command(port, {"replSetGetStatus": 1})
    except OSError:
        return "DOWN"
    if reply.get("ok") != 1:
        return reply.get("codeName", "UNKNOWN")
    return STATES.get(reply["myState"], "UNKNOWN")


def is_ready(ports):
    """Tells whether one member is a primary that accepts writes, and all others are secondaries."""
    states = [state(port) for port in ports]
    if sorted(states) != ["PRIMARY"] + ["SECONDARY"] * (len(ports) - 1):
        return False
    return command(ports[states.index("PRIMARY")], {"hello": 1}).get("isWritablePrimary") is True


def initiate(name, ports):
    """Initiates the replica set. All members have the same priority, so a member that restarts does not start an
    election to become primary again."""
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
        raise ValueError(f"unknown command '{arguments[0]}'")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (OSError, RuntimeError, ValueError, IndexError) as error:
        sys.exit(f"replset: {error}")
