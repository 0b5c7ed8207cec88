# SPDX-License-Identifier: Apache-2.0
"""Commands that the database refuses for a reason of its own, large documents that a batch would load together, and
collections that somebody drops. Only the commands that are refused get a failure."""
import json
import threading
import time
import uuid

import bson
import pymongo

from broker_frame import NotInjected
from database_load import LoadFault
from servers import WAIT_S, await_true
from victim import body_of, claim, create_provider

FOREIGN_INDEX = "one_user_each"
PROJECT = "foreign"


class ForeignIndex(LoadFault):
    """An administrator added a unique index that the culprit's consumers violate. It names the cause; it is no
    conflict that goes away."""

    name = "foreign-index"
    codes = {"success", "internal"}

    def prepare(self):
        super().prepare()
        self.provider = create_provider(self.culprit)
        self.in_database(lambda database: database.consumers.create_index(
            "user_id", name=FOREIGN_INDEX, unique=True, partialFilterExpression={"project_id": PROJECT}))

    def inject(self):
        self.send([claim(self.provider, project=PROJECT) for _ in range(5 if self.short else 200)])
        self.wait()

    def prove(self):
        refused = [command for command in self.commands if FOREIGN_INDEX in command.answers[0][1]]
        if len(refused) != len(self.commands) - 1:
            raise NotInjected(f"{len(refused)} of {len(self.commands)} answers name the index")

    def clear(self):
        self.in_database(lambda database: database.consumers.drop_index(FOREIGN_INDEX))


class LargeMappings(LoadFault):
    """Consumers with mappings of nearly 1 MB each are replaced: together they are larger than the server sends at
    once. A write does not load what it replaces."""

    name = "large-mappings"
    MAPPING_BYTES = 960_000

    def prepare(self):
        super().prepare()
        self.provider = create_provider(self.culprit)
        self.consumers = [str(uuid.uuid4()) for _ in range(10 if self.short else 130)]
        self.send([claim(self.provider, consumer) for consumer in self.consumers])
        self.wait()
        mappings = json.dumps({"x" * self.MAPPING_BYTES: [self.provider]})
        ids = [bson.Binary.from_uuid(uuid.UUID(consumer)) for consumer in self.consumers]
        self.in_database(lambda database: database.consumers.update_many(
            {"_id": {"$in": ids}}, {"$set": {"mappings": mappings}}))

    def inject(self):
        self.send([body_of("allocation.get", {"consumer_uuid": consumer}) for consumer in self.consumers])
        self.wait()
        self.send([claim(self.provider, consumer, generation=1) for consumer in self.consumers])
        self.wait()

    def prove(self):
        sizes = [len(command.answers[0][1]) for command in self.commands[len(self.consumers):][:len(self.consumers)]]
        if min(sizes) < self.MAPPING_BYTES:
            raise NotInjected(f"a read was answered with {min(sizes)} bytes")


class Supervisor(threading.Thread):
    """Starts members of the replica set again that have ended by themselves, and notes since when and until when there
    was no primary."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.stack, self.over, self.outages = stack, threading.Event(), []
        self.busy = threading.Lock()  # held while there is no primary
        self.start()

    def run(self):
        alive_at = time.monotonic()
        while not self.over.wait(0.05):
            dead = [node for node in self.stack.nodes if not node.is_running()]
            if not dead:
                alive_at = time.monotonic()
                continue
            with self.busy:
                for node in dead:
                    node.start()
                await_true(lambda: self.stack.primary_port() is not None, WAIT_S, "there is a primary")
                self.outages.append((alive_at, time.monotonic()))

    def await_primary(self):
        time.sleep(0.2)  # in which it sees that a member has ended
        with self.busy:
            pass

    def stop(self):
        self.over.set()
        self.join()
        return self.outages


class DroppedCollections(LoadFault):
    """Somebody drops collections while they are written. They come back with their validators and indexes. MongoDB
    6.0.5 itself may end if a transaction begins to read a collection at that moment; then it is started again."""

    name = "dropped-collections"
    DROPPED = ("outcomes", "letters", "attempts", "fences", "workers", "notifications")
    REPAIRED_S = 120  # what no transaction reads is looked at once a minute

    def prepare(self):
        super().prepare()
        self.provider = create_provider(self.culprit)
        self.before = self.in_database(self.schema)

    def schema(self, database):
        """The validator and the names of the indexes of each collection that exists."""
        found = {name: (options["options"].get("validator"), sorted(database[name].index_information()))
                 for name in self.DROPPED for options in database.list_collections(filter={"name": name})}
        return json.dumps(found, sort_keys=True)

    def inject(self):
        supervisor = Supervisor(self.frame.stack)
        for _ in range(2 if self.short else 20):
            self.send([claim(self.provider) for _ in range(20)])
            for name in self.DROPPED:
                self.drop(name)
            supervisor.await_primary()
            self.frame.let_the_victim_run(1)
        self.wait()
        outages = supervisor.stop()
        self.frame.outages += outages
        self.figures.append(f"mongod ended by itself {len(outages)} times")

    def drop(self, name):
        try:
            self.in_database(lambda database: database.drop_collection(name))
        except pymongo.errors.AutoReconnect:
            pass  # the primary has ended

    def settle(self):
        super().settle()
        self.frame.expect(lambda: self.in_database(self.schema) == self.before, "all is repaired", self.REPAIRED_S)

    def prove(self):
        if not self.frame.worker.events()["storage.repaired"]:
            raise NotInjected("the worker repaired nothing")


FAULTS = [ForeignIndex, LargeMappings, DroppedCollections]
