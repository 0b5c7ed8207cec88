# SPDX-License-Identifier: Apache-2.0
"""Connections of producers, readers of replies and dead letters, and the book of what is unanswered."""
import collections
import threading
import time

import pika

from journal import now_ms

EXCHANGE = ROUTING_KEY = "allot.commands"
RETRY_S = 0.2
RECENT_MS = 5000
TROUBLE = (pika.exceptions.AMQPError, OSError, EOFError, AttributeError, IndexError, AssertionError)


def connect(uri):
    parameters = pika.URLParameters(uri)
    parameters.heartbeat = 60
    parameters.socket_timeout = parameters.stack_timeout = 20
    return pika.BlockingConnection(parameters)


def close(connection):
    """Closes a connection that may be None or broken."""
    try:
        if connection is not None:
            connection.close()
    except TROUBLE:
        pass


class Link:
    """A channel with confirms that reconnects whenever it is lost."""

    def __init__(self, uri):
        self.uri = uri
        self.connection = self.channel = None

    def open(self):
        if self.channel is None or not self.channel.is_open or not self.connection.is_open:
            self.close()
            self.connection = connect(self.uri)
            self.channel = self.connection.channel()
            self.channel.confirm_delivery()
        return self.channel

    def close(self):
        close(self.connection)
        self.connection = self.channel = None

    def publish(self, send, is_over=lambda: False):
        """Publishes until the broker confirms it. A repetition has the same key. Returns the number of tries."""
        tries = 0
        while not is_over():
            tries += 1
            try:
                channel = self.open()
                channel.basic_publish(EXCHANGE, ROUTING_KEY, send_body(send), properties_of(send), mandatory=True)
                return tries
            except (pika.exceptions.UnroutableError, pika.exceptions.NackError):
                time.sleep(RETRY_S)
            except TROUBLE:
                self.close()
                time.sleep(RETRY_S)
        return tries


def send_body(send):
    return send["body"].encode() if "body" in send else b"{" + b" " * (1 << 20)


def properties_of(send):
    headers = {}
    if send.get("deadline") is not None:
        headers["x-allot-deadline"] = send["deadline"]
    return pika.BasicProperties(message_id=send["key"], correlation_id=send["id"], reply_to=send["reply_to"],
                                user_id=send["user"] if send["signed"] else None, delivery_mode=2,
                                headers=headers or None)


class Book:
    """The commands that were sent and the answers so far, while the load runs."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sends = {}  # id -> send
        self.replies = collections.Counter()
        self.dead = collections.Counter()

    def listen(self, record):
        with self.lock:
            if record["t"] == "send":
                self.sends[record["id"]] = record
            elif record["t"] == "reply":
                self.replies[record["id"]] += 1
            elif record["t"] == "dead":
                self.dead[record["id"]] += 1

    def open_ids(self):
        """Commands that must get an answer and have none. A success without reply_to gets no answer."""
        with self.lock:
            return [id for id, send in self.sends.items()
                    if not self.replies[id] and not self.dead[id] and send["awaited"]]

    def count_unanswered(self):
        """Counts commands without an answer; of those that may get none only the recent ones."""
        since = now_ms() - RECENT_MS
        with self.lock:
            return sum(not self.replies[id] and not self.dead[id] and (send["awaited"] or send["at"] > since)
                       for id, send in self.sends.items())

    def silent_ids(self):
        with self.lock:
            return [id for id, send in self.sends.items() if not send["awaited"] and not self.dead[id]]


class Reader(threading.Thread):
    """Consumes one queue: writes each message to the journal, then acknowledges it."""

    def __init__(self, uri, queue, declare, journal, note):
        super().__init__(daemon=True)
        self.uri, self.queue, self.declare, self.journal, self.note = uri, queue, declare, journal, note
        self.over = threading.Event()

    def run(self):
        while not self.over.is_set():
            try:
                self.read()
            except TROUBLE:
                time.sleep(RETRY_S)

    def read(self):
        connection = connect(self.uri)
        try:
            channel = connection.channel()
            if self.declare:
                channel.queue_declare(self.queue, durable=True)
            channel.basic_qos(prefetch_count=500)
            batch = []
            for method, properties, body in channel.consume(self.queue, inactivity_timeout=0.05):
                if method is not None:
                    batch.append((method.delivery_tag, properties, body))
                if batch and (method is None or len(batch) >= 50):
                    self.take(channel, batch)
                    batch = []
                if self.over.is_set():
                    return
        finally:
            try:
                connection.close()
            except TROUBLE:
                pass

    def take(self, channel, batch):
        records = [self.note(properties, body) for _, properties, body in batch]
        self.journal.note_all(records)
        channel.basic_ack(batch[-1][0], multiple=True)


def reply_record(properties, body):
    headers = properties.headers or {}
    return {"t": "reply", "id": properties.correlation_id, "body": body.decode("utf-8", "replace"),
            "replayed": headers.get("x-allot-replayed"), "type": properties.type}


def dead_record(properties, body):
    headers = properties.headers or {}
    text = lambda name: str(headers[name]) if name in headers else None
    return {"t": "dead", "id": properties.correlation_id, "key": properties.message_id, "reason": text("x-allot-reason"),
            "detail": text("x-allot-detail"), "principal": text("x-allot-principal"), "worker": text("x-allot-worker"),
            "letter": text("x-allot-letter"), "size": len(body),
            "body": body.decode("utf-8", "replace") if len(body) < 65536 else None}
