# SPDX-License-Identifier: Apache-2.0
"""Letters, the stored records of dead-lettered commands: their ids, and how they are read. See docs/architecture.md,
"Letters"."""
import hashlib

import sentinel

COMMANDS = "allot.commands"
ID_DIGITS = 32
FIELDS = ("source", "state", "reason", "principal", "key", "count", "body_sha256", "unpublished", "refused")
COMMAND = "properties.correlation_id"


def body_sha256(body):
    return hashlib.sha256(body).hexdigest()


def letter_id(principal, key, sha256, queue=COMMANDS):
    """As letter_id() of common/codec/letter_build.c: the digest of four texts, each after its length. An absent text is
    empty."""
    digest = hashlib.sha256()
    for text in (queue, principal, key, sha256):
        raw = (text or "").encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()[:ID_DIGITS]


def read(database):
    """{id: what the rules need of the letter}"""
    return {letter["_id"]: {name: letter.get(name) for name in FIELDS}
            for letter in database["letters"].find(sentinel.EXCLUDED, dict.fromkeys(FIELDS, 1))}


def count_unpublished(database):
    """Letters whose dead letter must still be published. One that the broker refuses is none of them."""
    return database["letters"].count_documents({"unpublished": True})


def id_of(command):
    """The id of the letter of a command of broker_frame.py."""
    return letter_id(command.properties.user_id, command.properties.message_id, body_sha256(command.body))


def of_client(client):
    """The condition for the letters of a client of victim.py; there may be others of its principal."""
    return {"principal": client.user, "key": {"$regex": f"^{client.prefix}-"}}


def count_stored(database, commands):
    return database["letters"].count_documents({"_id": {"$in": [id_of(command) for command in commands]}})


def age(database):
    """Makes unpublished letters a minute older, so that the next sweep publishes them."""
    database["letters"].update_many({"unpublished": True}, [{"$set": {"last_at": {"$subtract": ["$last_at", 60000]}}}])


def stored_commands(database, ids):
    """Those of the commands that have a letter."""
    found = database["letters"].find({COMMAND: {"$in": list(ids)}}, {COMMAND: 1})
    return {letter["properties"]["correlation_id"] for letter in found}
