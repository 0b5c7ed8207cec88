#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends one message to RabbitMQ 4 over AMQP 1.0 and prints its outcome, or receives one and prints it as JSON.

    amqp1_client.py send URI ADDRESS [options]   the body is read from --body, or else from standard input
    amqp1_client.py receive URI ADDRESS [--timeout S]

URI is amqp://user:password@host:port/vhost, with the virtual host percent-encoded (%2f is the default one). ADDRESS is
/exchanges/EXCHANGE/KEY, /exchanges/EXCHANGE or /queues/QUEUE, each part percent-encoded.

`send` prints one line: accepted, rejected, released, or "error CONDITION: DESCRIPTION"; a rejection may have
": CONDITION: DESCRIPTION" behind it. The exit status is 0 if the message was accepted or received, else 1, or 2 for
wrong arguments. Needs python3-qpid-proton.
"""
import argparse
import json
import sys
import uuid
from urllib.parse import unquote, urlsplit

from proton import Delivery, Endpoint, Message, ProtonException, ulong
from proton.utils import BlockingConnection

OUTCOMES = {Delivery.ACCEPTED: "accepted", Delivery.REJECTED: "rejected", Delivery.RELEASED: "released"}
IDS = {"string": str, "ulong": lambda text: ulong(int(text)), "uuid": uuid.UUID, "binary": str.encode}
PROPERTIES = ("id", "user_id", "address", "subject", "reply_to", "correlation_id", "content_type", "content_encoding",
              "group_id", "durable", "priority", "ttl", "delivery_count", "creation_time", "expiry_time")
ABSENT = (None, "", "None", b"", 0)  # Proton 0.37 reads an absent content type as the symbol "None"


class Refused(ProtonException):
    """The broker has ended a link, the session or the connection."""


class Connection(BlockingConnection):
    """RabbitMQ 4.0 answers most errors by ending the session, which a BlockingConnection does not notice."""

    def refused(self, endpoint):
        if endpoint.state & Endpoint.LOCAL_ACTIVE and not self.closing:
            endpoint.close()
            raise Refused(described(endpoint.remote_condition))

    def on_link_remote_close(self, event):
        self.refused(event.link)

    def on_session_remote_close(self, event):
        self.refused(event.session)

    def on_connection_remote_close(self, event):
        self.refused(event.connection)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("send", "receive"):
        sub = verbs.add_parser(verb)
        sub.add_argument("uri")
        sub.add_argument("address")
        sub.add_argument("--timeout", type=float, default=10.0, metavar="S")
    send = verbs.choices["send"]
    send.add_argument("--message-id")
    send.add_argument("--id-kind", choices=("string", "ulong", "uuid", "binary"), default="string")
    send.add_argument("--user-id")
    send.add_argument("--reply-to", metavar="ADDRESS", help="such as /queues/QUEUE")
    send.add_argument("--correlation-id")
    send.add_argument("--deadline", type=int, metavar="MS", help="application property x-allot-deadline, a long")
    send.add_argument("--property", action="append", default=[], metavar="NAME=TEXT", help="a string")
    send.add_argument("--uuid-property", action="append", default=[], metavar="NAME", help="a property that is a UUID")
    send.add_argument("--content-type")
    send.add_argument("--body-kind", choices=("data", "value"), default="data", help="value: a string")
    send.add_argument("--body", metavar="TEXT")
    send.add_argument("--ttl", type=float, metavar="S")
    send.add_argument("--durable", action="store_true")
    return parser.parse_args()


def connect(uri, timeout):
    """Proton refuses PLAIN without TLS by default. RabbitMQ takes the virtual host from `open`, behind "vhost:"."""
    at = urlsplit(uri)
    return Connection(f"amqp://{at.hostname}:{at.port or 5672}", timeout=timeout, user=unquote(at.username or "guest"),
                      password=unquote(at.password or "guest"), virtual_host="vhost:" + (unquote(at.path[1:]) or "/"),
                      allowed_mechs="PLAIN", allow_insecure_mechs=True)


def message_of(args):
    text = sys.stdin.read() if args.body is None else args.body
    data = args.body_kind == "data"
    message = Message(body=text.encode() if data else text, inferred=data, durable=args.durable)
    for name, value in (("id", args.message_id and IDS[args.id_kind](args.message_id)), ("user_id", args.user_id and args.user_id.encode()),
                        ("reply_to", args.reply_to), ("correlation_id", args.correlation_id),
                        ("content_type", args.content_type), ("ttl", args.ttl)):
        if value is not None:
            setattr(message, name, value)
    properties = dict(entry.split("=", 1) for entry in args.property)
    properties |= {name: uuid.uuid4() for name in args.uuid_property}
    if args.deadline is not None:
        properties["x-allot-deadline"] = args.deadline  # Proton encodes a plain int as long
    message.properties = properties or None
    return message


def described(condition):
    return f"{condition.name}: {condition.description}" if condition else ""


def send(connection, args):
    sender = connection.create_sender(args.address)
    delivery = sender.link.send(message_of(args))
    connection.wait(lambda: delivery.remote_state or delivery.settled, msg="waiting for the outcome")
    outcome = OUTCOMES.get(delivery.remote_state, "unknown")
    print(": ".join(filter(None, (outcome, described(delivery.remote.condition)))))
    return 0 if outcome == "accepted" else 1


def plain(value):
    """Returns what JSON can say of a value; bytes are read as UTF-8."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).decode("utf-8", "backslashreplace")
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def receive(connection, args):
    receiver = connection.create_receiver(args.address, credit=1)
    message = receiver.receive(timeout=args.timeout)
    receiver.accept()
    found = {name: getattr(message, name) for name in PROPERTIES}
    report = {name: plain(value) for name, value in found.items() if value not in ABSENT}
    report |= {"application_properties": plain(message.properties or {}),
               "annotations": plain(message.annotations or {}), "body_kind": "data" if message.inferred else "value",
               "body": plain(message.body)}
    print(json.dumps(report, ensure_ascii=False, sort_keys=True))
    return 0


def main():
    args = arguments()
    try:
        connection = connect(args.uri, args.timeout)
        try:
            return send(connection, args) if args.verb == "send" else receive(connection, args)
        finally:
            connection.close()
    except ProtonException as error:
        print("error", " ".join(str(error).split()))
    return 1


if __name__ == "__main__":
    sys.exit(main())
