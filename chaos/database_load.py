# SPDX-License-Identifier: Apache-2.0
"""Commands of one principal that are slow, refused, large or many for the database, and a database that is slow for
everybody. The others must not wait for them."""
import json
import time
import uuid

import bson

from broker_frame import Fault, NotInjected
from victim import body_of, claim, code_of, create_provider

PEAK_MB = 256
FAIL = "failCommand"


def codes_of(commands):
    return {json.loads(text).get("error", {}).get("code", "success") for command in commands
            for _, text in command.answers[:1]}


class LoadFault(Fault):
    """A fault of commands of the culprit; each of them has to be answered with one of these codes."""

    codes = {"success"}
    answered = True  # before the end of the fault
    peak_mb = PEAK_MB

    def prepare(self):
        self.culprit = self.frame.client("culprit")
        self.commands = []

    def send(self, bodies):
        self.commands += [self.culprit.send(body) for body in bodies]

    def wait(self):
        self.frame.expect(lambda: all(command.answers for command in self.commands), "the culprit is answered", 300)

    def settle(self):
        self.wait()

    def check(self):
        codes = codes_of(self.commands)
        if not codes <= self.codes:
            yield f"the culprit was answered with {codes}"
        if not self.short and self.frame.worker.peak_kb() > self.peak_mb * 1024:
            yield f"peak RSS {self.frame.worker.peak_kb() // 1024} MiB (limit {self.peak_mb})"
        self.figures.append(f"{len(self.commands)} commands of the culprit were answered with {sorted(codes)}")

    def in_database(self, what):
        return self.frame.in_database(what)


def make_consumers(database, project, count, allocations):
    """The server itself makes consumers that no command has made; they are removed before the audit."""
    database.command("aggregate", 1, cursor={}, bypassDocumentValidation=True, pipeline=[
        {"$documents": [{"n": {"$range": [0, count]}}]}, {"$unwind": "$n"},
        {"$project": {"_id": "$n", "project_id": project, "user_id": "u", "consumer_type": "INSTANCE",
                      "generation": {"$toLong": 1}, "rev": {"$toLong": 1}, "allocations": allocations}},
        {"$merge": {"into": "consumers"}}])


class SlowReads(LoadFault):
    """The sums of a project with very many consumers take longer than reads.timeout."""

    name = "slow-reads"
    settings = {"ALLOT_READS_TIMEOUT": "200ms"}
    codes = {"limit_exceeded"}

    def prepare(self):
        super().prepare()
        count = 100_000 if self.short else 400_000
        amount = {"$toLong": 1}
        self.in_database(lambda database: make_consumers(
            database, "slow", count, [{"provider": "$n", "resources": {"VCPU": amount, "DISK_GB": amount}}]))

    def inject(self):
        self.send([body_of("usage.get", {"project_id": "slow"})] * (2 if self.short else 20))

    def stop(self):
        self.in_database(lambda database: database.consumers.delete_many({"project_id": "slow"}))
        return []


class ManyLargeReads(LoadFault):
    """Very many reads, whose answers are 2 MiB each: all of them together do not fit into memory."""

    name = "many-large-reads"

    def prepare(self):
        super().prepare()
        self.provider = create_provider(self.culprit)
        binary = bson.Binary.from_uuid(uuid.UUID(self.provider))
        classes = {f"CUSTOM_CLASS_WITH_A_LONG_NAME_{number}": {"$toLong": 1} for number in range(20)}

        def make(database):
            make_consumers(database, "large", 1000, [{"provider": binary, "resources": classes}])
            # Only an _id that is a UUID is shown.
            for document in list(database.consumers.find({"project_id": "large"})):
                database.consumers.delete_one({"_id": document["_id"]})
                document["_id"] = bson.Binary.from_uuid(uuid.uuid4())
                database.consumers.insert_one(document, bypass_document_validation=True)
        self.in_database(make)

    def inject(self):
        count = 20 if self.short else 1500
        self.send([body_of("provider.allocations", {"uuid": self.provider})] * count)
        self.wait()

    def stop(self):
        sizes = {len(command.answers[0][1]) for command in self.commands if command.answers}
        self.figures.append(f"the answers have up to {max(sizes, default=0)} bytes")
        self.in_database(lambda database: database.consumers.delete_many({"project_id": "large"}))
        return []


class HeldDocument(LoadFault):
    """A transaction of somebody else holds a provider; the commands on it wait, nobody else does."""

    name = "held-document"

    def prepare(self):
        super().prepare()
        self.provider = create_provider(self.culprit)

    def inject(self):
        with self.frame.stack.client() as client:
            with client.start_session() as session:
                session.start_transaction()
                client["allot_chaos"].providers.update_one({"_id": bson.Binary.from_uuid(uuid.UUID(self.provider))},
                                                           {"$inc": {"rev": 1}}, session=session)
                self.send([claim(self.provider) for _ in range(5 if self.short else 50)])
                self.frame.let_the_victim_run(self.seconds)
                self.early = sum(bool(command.answers) for command in self.commands)
                session.abort_transaction()
        self.wait()

    def prove(self):
        if self.early:
            raise NotInjected(f"{self.early} commands on the held document were answered")


class DamagedDocument(LoadFault):
    """Commands on a document that nobody can read are refused, one by one."""

    name = "damaged-document"
    codes = {"internal"}

    def prepare(self):
        super().prepare()
        self.provider = create_provider(self.culprit)

    def set_generation(self, value):
        identifier = bson.Binary.from_uuid(uuid.UUID(self.provider))
        self.in_database(lambda database: database.command(
            "update", "providers", bypassDocumentValidation=True,
            updates=[{"q": {"_id": identifier}, "u": {"$set": {"generation": value}}}]))

    def inject(self):
        self.set_generation("seven")
        self.send([claim(self.provider) for _ in range(5 if self.short else 200)])
        self.wait()

    def clear(self):
        self.set_generation(bson.Int64(1))


class TreeMoves(LoadFault):
    """A subtree of 9,900 providers is moved again and again."""

    name = "tree-moves"

    def prepare(self):
        super().prepare()
        self.roots = [create_provider(self.culprit) for _ in range(2)]
        self.top = str(uuid.uuid4())
        self.names = 0
        self.send([body_of("provider.create", {"uuid": self.top, "name": "top", "parent_provider_uuid": self.roots[0]})])
        self.wait()
        count = 100 if self.short else 9900
        root, top = (bson.Binary.from_uuid(uuid.UUID(name)) for name in (self.roots[0], self.top))
        documents = [{"_id": bson.Binary.from_uuid(uuid.uuid4()), "name": f"leaf-{number}", "parent": top, "root": root,
                      "generation": bson.Int64(0), "rev": bson.Int64(0), "inventories": {}} for number in range(count)]
        self.in_database(lambda database: database.providers.insert_many(documents))

    def inject(self):
        moves = 4 if self.short else 40
        self.send([body_of("provider.update", {"uuid": self.top, "name": "top",
                                               "parent_provider_uuid": self.roots[(number + 1) % 2]})
                   for number in range(moves)])
        self.wait()


class LargeGarbage(LoadFault):
    """Malformed commands of 1 MiB each, whose letters are 1 MiB each."""

    name = "large-garbage"
    codes = {"malformed"}

    def inject(self):
        self.send([b"x" * (1024 * 1024)] * (5 if self.short else 100))
        self.wait()


class MissingProviders(LoadFault):
    """Each command names 1,000 providers that do not exist, and its outcome lists them."""

    name = "missing-providers"
    codes = {"provider_not_found"}

    def body(self):
        providers = {str(uuid.uuid4()): {"resources": {"VCPU": 1}} for _ in range(1000)}
        return body_of("allocation.set", {
            "consumer_uuid": str(uuid.uuid4()), "project_id": "p", "user_id": "u", "consumer_generation": None,
            "consumer_type": "INSTANCE", "allocations": providers})

    def inject(self):
        self.send([self.body() for _ in range(5 if self.short else 200)])
        self.wait()


class LargestCommand(LoadFault):
    """Two commands, each on consumers with allocations of 0.7 MB: one whose documents are just within the limit of a
    command, and one above it."""

    name = "largest-command"
    codes = {"success", "limit_exceeded"}
    peak_mb = 512
    CLASSES, WITHIN, ABOVE = 3000, 150, 300  # classes of a consumer; consumers of a command

    def prepare(self):
        super().prepare()
        self.provider = create_provider(self.culprit)
        self.names = [f"CUSTOM_{number:0200d}" for number in range(self.CLASSES)]
        within, above = (10, 20) if self.short else (self.WITHIN, self.ABOVE)
        self.groups = [[str(uuid.uuid4()) for _ in range(count)] for count in (within, above)]
        self.in_database(self.make)

    def make(self, database):
        provider = bson.Binary.from_uuid(uuid.UUID(self.provider))
        record = database.providers.find_one({"_id": provider})["inventories"]["VCPU"]
        record["used"] = bson.Int64(sum(map(len, self.groups)))
        database.providers.update_one({"_id": provider}, {"$set": {"inventories": dict.fromkeys(self.names, record)}})
        allocations = [{"provider": provider, "resources": dict.fromkeys(self.names, bson.Int64(1))}]
        for group in self.groups:
            for name in group:
                database.consumers.insert_one({
                    "_id": bson.Binary.from_uuid(uuid.UUID(name)), "project_id": "p", "user_id": "u",
                    "consumer_type": "INSTANCE", "generation": bson.Int64(1), "rev": bson.Int64(1),
                    "allocations": allocations})

    def remove(self, group):
        claim_of_none = {"project_id": "p", "user_id": "u", "consumer_generation": 1, "consumer_type": "INSTANCE",
                         "allocations": {}}
        return body_of("allocation.batch", {"consumers": dict.fromkeys(group, claim_of_none)})

    def inject(self):
        self.send([self.remove(group) for group in self.groups])
        self.wait()

    def prove(self):
        codes = [code_of(command.answers[0][1]) for command in self.commands]
        if not self.short and codes != ["success", "limit_exceeded"]:
            raise NotInjected(f"the answers are {codes}")

    def stop(self):
        """The audit has an easy database again."""
        ids = [bson.Binary.from_uuid(uuid.UUID(name)) for name in self.groups[1]]
        record = {f"inventories.{name}.used": bson.Int64(0) for name in self.names}

        def clear(database):
            database.consumers.delete_many({"_id": {"$in": ids}})
            database.providers.update_one({"_id": bson.Binary.from_uuid(uuid.UUID(self.provider))}, {"$set": record})
        self.in_database(clear)
        return []


class SlowDatabase(LoadFault):
    """Each command takes 2 s longer, for everybody. That is nobody's fault: nothing is answered with a failure."""

    name = "slow-database"
    seconds = 60
    p99_max_ms = 90000
    long_only = True

    def set_fail_point(self, mode):
        for port in self.frame.stack.mongo_ports:
            with self.frame.stack.node(port) as client:
                client.admin.command({"configureFailPoint": FAIL, "mode": mode, "data": {
                    "failCommands": ["aggregate", "find", "insert", "update", "delete", "commitTransaction",
                                     "findAndModify"],
                    "blockConnection": True, "blockTimeMS": 2000, "failInternalCommands": False}})

    def inject(self):
        self.provider = create_provider(self.culprit)
        self.set_fail_point("alwaysOn")
        self.send([claim(self.provider) for _ in range(50)] +
                  [body_of("provider.get", {"uuid": self.provider})] * 50)

    def clear(self):
        self.set_fail_point("off")


FAULTS = [SlowReads, ManyLargeReads, HeldDocument, DamagedDocument, TreeMoves, LargeGarbage, MissingProviders,
          LargestCommand, SlowDatabase]
