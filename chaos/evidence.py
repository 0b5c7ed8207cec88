# SPDX-License-Identifier: Apache-2.0
"""Evidence from the database: its documents, and the transactions of its oplog in the order of their commits."""
import uuid

import bson

import letters
import sentinel

ORDINARY = bson.codec_options.CodecOptions(uuid_representation=bson.binary.UuidRepresentation.STANDARD)


def plain(value):
    return str(value) if isinstance(value, uuid.UUID) else value


class Transaction:
    def __init__(self):
        self.inserted = []  # outcomes
        self.removed = []  # ids of outcomes
        self.effects = set()  # names of the collections that it changed


def transactions(client, database):
    """Yields the committed transactions that wrote to this database. A transaction may have several entries; the last
    one is not marked as partial."""
    oplog = client.local.get_collection("oplog.rs", codec_options=ORDINARY)
    parts = {}
    for entry in oplog.find({}, sort=[("$natural", 1)]):
        if entry["op"] != "c" or "applyOps" not in entry["o"]:
            operations = [entry]
        else:
            session = (str(entry.get("lsid")), entry.get("txnNumber"))
            operations = parts.pop(session, []) + entry["o"]["applyOps"]
            if entry["o"].get("partialTxn"):
                parts[session] = operations
                continue
        one = read_operations(operations, database)
        if one.inserted or one.removed or one.effects:
            yield one


def read_operations(operations, database):
    one, collections = Transaction(), ("providers", "consumers", "outcomes")
    for operation in operations:
        name, _, collection = operation.get("ns", "").partition(".")
        if name != database or collection not in collections or operation["op"] not in "iud":
            continue
        if id_of(operation) == sentinel.ID:
            continue
        if collection != "outcomes":
            one.effects.add(collection)
        elif operation["op"] == "i":
            one.inserted.append(operation["o"])
        else:
            one.removed.append(id_of(operation))
    one.inserted, one.removed = without_touches(one.inserted, one.removed)
    return one


def id_of(operation):
    return operation.get("o2", operation["o"])["_id"]


def without_touches(inserted, removed):
    """Drops touches: an insert and a delete of one id in one transaction, which leave no outcome."""
    touched = [id for id in removed if any(outcome["_id"] == id for outcome in inserted)]
    return ([outcome for outcome in inserted if outcome["_id"] not in touched],
            [id for id in removed if id not in touched])


NONE = {"outcomes": {}, "providers": {}, "consumers": {}, "transactions": [], "letters": {}}


def look(client, name):
    database = client[name]
    return {"outcomes": outcomes(database), "providers": providers(database), "consumers": consumers(database),
            "transactions": list(transactions(client, name)), "letters": letters.read(database)}


def outcomes(database):
    found = database.get_collection("outcomes", codec_options=ORDINARY).find(sentinel.EXCLUDED)
    return {(outcome["_id"]["principal"], outcome["_id"]["key"]): outcome for outcome in found}


def providers(database):
    found = {}
    for document in database.get_collection("providers", codec_options=ORDINARY).find(sentinel.EXCLUDED):
        inventories, used = {}, {}
        for name, record in document["inventories"].items():
            used[name] = record["used"]
            inventories[name] = {"total": record["total"], "reserved": record["reserved"],
                                 "min_unit": record["min_unit"], "max_unit": record["max_unit"],
                                 "step_size": record["step_size"], "allocation_ratio": record["ratio"] / 1000000}
        found[plain(document["_id"])] = {
            "name": document["name"], "parent": plain(document["parent"]), "root": plain(document["root"]),
            "generation": document["generation"], "inventories": inventories, "used": used}
    return found


def consumers(database):
    return {plain(document["_id"]): {
        "generation": document["generation"], "project": document["project_id"], "user": document["user_id"],
        "type": document["consumer_type"],
        "allocations": {plain(part["provider"]): part["resources"] for part in document["allocations"]},
    } for document in database.get_collection("consumers", codec_options=ORDINARY).find(sentinel.EXCLUDED)}
