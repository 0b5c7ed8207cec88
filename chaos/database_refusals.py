# SPDX-License-Identifier: Apache-2.0
"""Commands that the database refuses for a reason of its own, large documents that a batch would load together, and
collections that somebody drops. Only the commands that are refused get a failure."""
import json
import uuid

import bson

from broker_frame import NotInjected
from database_load import LoadFault
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


class DroppedCollections(LoadFault):
    """Somebody drops collections while they are written. They come back with their validators and indexes."""

    name = "dropped-collections"
    DROPPED = ("outcomes", "letters", "attempts", "fences", "workers")
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
        for _ in range(2 if self.short else 20):
            self.send([claim(self.provider) for _ in range(20)])
            for name in self.DROPPED:
                self.in_database(lambda database, name=name: database.drop_collection(name))
            self.frame.let_the_victim_run(1)
        self.wait()

    def settle(self):
        super().settle()
        self.frame.expect(lambda: self.in_database(self.schema) == self.before, "all is repaired", self.REPAIRED_S)

    def prove(self):
        if not self.frame.worker.events()["storage.repaired"]:
            raise NotInjected("the worker repaired nothing")


FAULTS = [ForeignIndex, LargeMappings, DroppedCollections]
