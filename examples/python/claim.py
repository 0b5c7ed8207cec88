#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Claims VCPUs of a provider for a consumer through allotd. See README.md for the arguments.

Exit status: 0 claimed, 1 failed, 2 outcome unknown (run again with the same KEY).
"""
import json
import os
import sys
import time
import uuid

import pika

MAX_ATTEMPTS = 5  # to send one message; each attempt waits twice as long as the one before
MAX_CONFLICTS = 5  # generation conflicts; after each, the consumer is read again


class Claims:
    """A connection and an exclusive queue for its replies."""

    def __init__(self, uri, timeout):
        parameters = pika.URLParameters(uri)
        self.user = parameters.credentials.username
        self.timeout = timeout
        self.replies = {}
        self.connection = pika.BlockingConnection(parameters)
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()
        self.queue = f"{self.user}.claim.{uuid.uuid4()}"
        self.channel.queue_declare(self.queue, exclusive=True, auto_delete=True)
        self.channel.basic_consume(self.queue, self._on_reply, auto_ack=True)

    def _on_reply(self, _channel, _method, properties, body):
        replayed = (properties.headers or {}).get("x-allot-replayed", False)
        self.replies[properties.correlation_id] = (json.loads(body), replayed)

    def _publish(self, key, body):
        properties = pika.BasicProperties(
            message_id=key, correlation_id=key, user_id=self.user, reply_to=self.queue,
            content_type="application/json", delivery_mode=2)
        try:  # basic_publish returns when the broker has confirmed the message
            self.channel.basic_publish("allot.commands", "allot.commands", body, properties,
                                       mandatory=True)
        except pika.exceptions.NackError:
            print(f"{key}: nacked by the broker")

    def call(self, key, command, params):
        """Sends a command and returns its reply. Without a reply the outcome is unknown: the command
        may have taken effect. It is safe to send it again under the same key: it takes effect once,
        and the worker replies with the recorded outcome."""
        body = json.dumps({"version": 1, "command": command, "params": params})
        timeout = self.timeout
        for _ in range(MAX_ATTEMPTS):
            self._publish(key, body)
            deadline = time.monotonic() + timeout
            while key not in self.replies and (left := deadline - time.monotonic()) > 0:
                self.connection.process_data_events(time_limit=left)
            if key in self.replies:
                return self.replies.pop(key)
            print(f"{key}: no reply within {timeout * 1000:.0f} ms", flush=True)
            timeout *= 2
        raise TimeoutError(f"no reply after {MAX_ATTEMPTS} attempts, outcome unknown: {key}")

    def generation_of(self, consumer):
        reply, _ = self.call(str(uuid.uuid4()), "allocation.get", {"consumer_uuid": consumer})
        if reply["status"] != "success":
            raise RuntimeError(f"allocation.get: {reply['error']['code']}")
        return reply["result"].get("consumer_generation")


def claim(claims, key, provider, consumer, vcpus, generation):
    for _ in range(MAX_CONFLICTS):
        reply, replayed = claims.call(key, "allocation.set", {
            "consumer_uuid": consumer, "project_id": "examples", "user_id": "example",
            "consumer_generation": generation, "consumer_type": "INSTANCE",
            "allocations": {provider: {"resources": {"VCPU": vcpus}}}})
        if reply["status"] == "success":
            print(f"claimed: consumer_generation {reply['result']['consumer_generation']}"
                  + (" (replayed)" if replayed else ""))
            return 0
        error = reply["error"]
        if not error["retryable"]:  # the same command would fail again
            print(f"failed: {error['code']}: {error['message']} {json.dumps(error['details'])}")
            return 1
        # Another producer has changed the consumer. The failure is recorded under this key, so the
        # next try needs a new key. A real producer decides here whether it still wants the claim.
        generation = claims.generation_of(consumer)
        key = str(uuid.uuid4())
        print(f"{error['code']}: retrying with consumer_generation {json.dumps(generation)}")
    print(f"gave up after {MAX_CONFLICTS} conflicts")
    return 1


def main():
    if not 5 <= len(sys.argv) <= 7:
        sys.exit("usage: claim.py KEY PROVIDER CONSUMER VCPUS [GENERATION|null [TIMEOUT_MS]]")
    arguments = sys.argv[1:] + ["null", "5000"][len(sys.argv) - 5:]
    key, provider, consumer, vcpus, generation, timeout = arguments
    uri = os.environ.get("ALLOT_AMQP_URI_CONDUCTOR") or os.environ["ALLOT_AMQP_URI"]
    try:
        claims = Claims(uri, int(timeout) / 1000)
        return claim(claims, key, provider, consumer, int(vcpus), json.loads(generation))
    except pika.exceptions.UnroutableError:
        print("message unroutable: is the topology declared?")
    except (TimeoutError, RuntimeError, pika.exceptions.AMQPError) as error:
        print(error or repr(error))
    return 2


if __name__ == "__main__":
    sys.exit(main())
