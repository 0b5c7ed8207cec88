# SPDX-License-Identifier: Apache-2.0
"""The rules. Each is a function of the case that yields its violations; a run passes a rule that yields none."""
import hashlib
import json

import letters
import load
import model

READS = {"provider.get", "provider.list", "provider.allocations", "allocation.get", "usage.get"}
UNRECORDED = {"too_large", "malformed", "missing_message_id", "unauthenticated", "unsupported_version", "unknown_command",
              "invalid", "idempotency_key_reused", "forbidden", "attempts_exhausted", "internal"}
ALWAYS_DEAD = {"too_large", "malformed", "missing_message_id", "unauthenticated", "attempts_exhausted", "internal"}
HOUR_MS = 3600_000
ATTEMPTS_MAX = 3  # delivery.max_attempts
NOTICED_MS = 3000  # the harness may notice a crash this long after it


def fingerprint(body):
    text = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()


class Case:
    """Everything that is known of a run: the journal, the evidence from the database, and the facts of the scenario."""

    def __init__(self, records, evidence, facts):
        self.records, self.evidence, self.facts = records, evidence, facts
        self.sends = {record["id"]: record for record in records if record["t"] == "send"}
        self.replies = [record for record in records if record["t"] == "reply"]
        self.dead = [record for record in records if record["t"] == "dead"]
        self.replied = {id: [] for id in self.sends}
        self.dead_lettered = {id: [] for id in self.sends}
        for index, where in ((self.replies, self.replied), (self.dead, self.dead_lettered)):
            for record in index:
                where.setdefault(record["id"], []).append(record)
        self.outcomes = evidence["outcomes"]
        for reply in self.replies:
            reply["said"] = json.loads(reply["body"])
        self.of_key = {}
        for send in self.sends.values():
            self.of_key.setdefault((send["user"], send["key"]), []).append(send)
        self.letters = evidence["letters"]
        self.letters_of = {}  # what a letter says of its command -> ids of the letters
        for id, letter in self.letters.items():
            self.letters_of.setdefault((letter["principal"], letter["key"], letter["body_sha256"]), []).append(id)

    def is_read(self, send):
        return send["expect"] == "valid" and json.loads(send["body"])["command"] in READS

    def recorded(self, send):
        """The outcome of this very command: same key, same body. None if there is none."""
        outcome = self.outcomes.get((send["user"], send["key"]))
        if outcome is None or "body" not in send or send["expect"] not in ("valid", "forbidden"):
            return None
        return outcome if bytes(outcome["fingerprint"]) == fingerprint(send["body"]) else None

    def must_be_dead_lettered(self, send):
        """Why, or None. A command may be dead-lettered for another reason as well, if its reply comes back."""
        for code in sorted({code_of(reply["said"]) for reply in self.replied[send["id"]]} & ALWAYS_DEAD):
            return f"answered {code}"
        if send["expect"] in ALWAYS_DEAD:
            return send["expect"]
        outcome = self.recorded(send)
        if send["reply_to"] is None and outcome is not None and outcome["code"] != "success":
            return f"{outcome['code']} without a reply"
        return None


def names_of(send):
    """What the letter of a command says of it: principal, key and digest of the body."""
    return send["user"] if send["signed"] else None, send["key"], letters.body_sha256(load.send_body(send))


def code_of(said):
    return "success" if said["status"] == "success" else said["error"]["code"]


def where(record):
    return f"line {record.get('line')}, {record['id']}"


def sent_is_answered_or_dead_lettered(case):
    for id, send in case.sends.items():
        silent_success = case.recorded(send) is not None and case.recorded(send)["code"] == "success"
        if case.replied[id] or case.dead_lettered[id] or (send["reply_to"] is None and (silent_success or case.is_read(send))):
            continue
        yield f"{where(send)}: {send['body'][:80] if 'body' in send else 'too large'}: neither answer nor dead letter"
    for record in case.replies + case.dead:
        if record["id"] not in case.sends:
            yield f"line {record['line']}: {record['t']} of a command that was not sent"


def each_command_has_one_outcome(case):
    """Each command is recorded or failed with a code that is never recorded; each outcome belongs to a command."""
    for id, send in case.sends.items():
        if send["expect"] != "valid" or case.is_read(send) or case.recorded(send) is not None:
            continue
        codes = {code_of(reply["said"]) for reply in case.replied[id]} | {letter["reason"] for letter in case.dead_lettered[id]}
        if not codes or not codes <= UNRECORDED:
            yield f"{where(send)}: not recorded, and {sorted(map(str, codes)) or 'no answer'}"
    for principal, key in case.outcomes:
        if (principal, key) not in case.of_key:
            yield f"an outcome of a command that was not sent: {principal} {key}"


def recorded_once_and_with_the_effect(case):
    """From the oplog: every outcome is inserted once and never changed; every effect has an outcome in its
    transaction."""
    seen = {}
    for number, transaction in enumerate(case.evidence["transactions"]):
        for outcome in transaction.inserted:
            id = (outcome["_id"]["principal"], outcome["_id"]["key"])
            if id in seen:
                yield f"{id} is recorded in transactions {seen[id]} and {number}"
            seen[id] = number
        if transaction.removed:
            yield f"transaction {number} removes or changes outcomes: {transaction.removed[:3]}"
        if transaction.effects and not transaction.inserted:
            yield f"transaction {number} changes {sorted(transaction.effects)} and records nothing"
    for id in case.outcomes:
        if id not in seen:
            yield f"{id} is recorded, but no transaction inserted it"


def answers_say_what_is_on_record(case):
    for reply in case.replies:
        send = case.sends.get(reply["id"])
        if send is None:
            continue
        said, outcome = reply["said"], case.recorded(send)
        code = code_of(said)
        if said["message_id"] != send["key"]:
            yield f"{where(reply)}: message_id {said['message_id']}, not {send['key']}"
        if outcome is not None:
            if reply["body"] != outcome["body"]:
                yield f"{where(reply)}: {reply['body'][:200]}; recorded: {outcome['body'][:200]}"
        elif code not in UNRECORDED and not case.is_read(send):
            yield f"{where(reply)}: {code}, but no outcome is recorded"
        if code == "idempotency_key_reused" and len({other.get("body") for other in
                                                    case.of_key[send["user"], send["key"]]}) < 2:
            yield f"{where(reply)}: {code}, and the key was used once"


def refusals_fit_what_was_sent(case):
    for record in case.replies + case.dead:
        send = case.sends.get(record["id"])
        if send is None:
            continue
        code = code_of(record["said"]) if record["t"] == "reply" else record["reason"]
        if send["expect"] not in ("valid", code) and code != "attempts_exhausted":
            yield f"{where(record)}: {code}, {send['expect']} was expected"
        if code in UNRECORDED - {"idempotency_key_reused", "attempts_exhausted", send["expect"]}:
            yield f"{where(record)}: {code}, {send['expect']} was expected: {record.get('detail') or record.get('body')}"
        if code == "deadline_exceeded" and (send["deadline"] is None or send["deadline"] - HOUR_MS > record["at"]):
            yield f"{where(record)}: {code}, and the deadline is {send['deadline']}"
        if code == "success" and send["deadline"] and send["deadline"] + HOUR_MS < send["at"]:
            yield f"{where(record)}: applied after its deadline {send['deadline']}"


def dead_letters_are_due(case):
    for id, send in case.sends.items():
        due = case.must_be_dead_lettered(send)
        if due and not case.dead_lettered[id]:
            yield f"{where(send)}: {due}, and no dead letter"
    for letter in case.dead:
        send = case.sends.get(letter["id"])
        if letter["reason"] not in ALWAYS_DEAD and send and send["reply_to"] is not None and send["expect"] != "forbidden":
            yield f"{where(letter)}: {letter['reason']} dead-lettered, though it could be answered"
        if send and "body" in send and letter["body"] != send["body"]:
            yield f"{where(letter)}: another body than was sent"


def each_dead_letter_has_one_letter(case):
    """A command that is dead-lettered, or has to be, has one letter, under the id that docs/architecture.md gives it.
    Its dead letters name this letter."""
    for id, send in case.sends.items():
        if not case.dead_lettered[id] and not case.must_be_dead_lettered(send):
            continue
        names = names_of(send)
        found, expected = case.letters_of.get(names, []), letters.letter_id(*names)
        if found != [expected]:
            yield f"{where(send)}: letters {found}, not {expected} alone"
        for dead in case.dead_lettered[id]:
            if dead["letter"] != expected:
                yield f"{where(dead)}: x-allot-letter {dead['letter']}, not {expected}"


def each_letter_belongs_to_a_command(case):
    """Each letter is about a command that was sent, and has the reason of one of its answers."""
    sent = {}
    for send in case.sends.values():
        sent.setdefault(names_of(send), []).append(send)
    for id, letter in case.letters.items():
        sends = sent.get((letter["principal"], letter["key"], letter["body_sha256"]), [])
        if not sends:
            yield f"letter {id}: not about a command that was sent: {letter}"
        if letter["source"] != "worker" or letter["state"] != "open":
            yield f"letter {id}: source {letter['source']}, state {letter['state']}"
        reasons = {record["reason"] for send in sends for record in case.dead_lettered[send["id"]]}
        reasons |= {code_of(reply["said"]) for send in sends for reply in case.replied[send["id"]]}
        if sends and letter["reason"] not in reasons:
            yield f"letter {id}: {letter['reason']}, and its command was answered {sorted(map(str, reasons))}"


def each_letter_is_published(case):
    """Each letter has a dead letter, or says why the broker refused it. None is unpublished in the end."""
    named = {dead["letter"] for dead in case.dead}
    for id, letter in case.letters.items():
        if letter["unpublished"]:
            yield f"letter {id} is unpublished: {letter}"
        elif id not in named and not letter["refused"]:
            yield f"letter {id} has no dead letter: {letter}"


def all_letters_are_published_in_time(case):
    waited_s, limit_s = case.facts["letters_s"], case.facts["letters_limit_s"]
    if waited_s is None or waited_s > limit_s:
        yield f"not all letters are published {limit_s} s after all was answered"


def exhausted_only_after_deaths(case):
    """At least three workers crashed between the command and its dead letter."""
    crashes = [record["at"] for record in case.records if is_crash(record)]
    for letter in case.dead:
        send = case.sends.get(letter["id"])
        if send is None or letter["reason"] != "attempts_exhausted":
            continue
        meanwhile = sum(send["at"] <= at <= letter["at"] + NOTICED_MS for at in crashes)
        if meanwhile < ATTEMPTS_MAX:
            yield f"{where(letter)}: attempts_exhausted, but {meanwhile} workers crashed since it was sent"


def is_crash(record):
    return record["t"] == "crash" or (record["t"] == "fault" and record["phase"] == "inject"
                                      and record["name"] in ("worker SIGKILL", "everything SIGKILL"))


def effects_are_the_fold(case):
    """Replays the successes in the order of the oplog; within a transaction, in an order that gives the recorded
    answers. The result has to be the documents of the database."""
    state = model.State()
    for number, transaction in enumerate(case.evidence["transactions"]):
        commands = []
        for outcome in transaction.inserted:
            if outcome["code"] == "success":
                body = body_of(case, outcome)
                if body is None:
                    yield f"transaction {number}: {outcome['_id']} belongs to no body that was sent"
                    return
                commands.append((body["command"], body["params"], json.loads(outcome["body"])["result"]))
        if not commands and transaction.effects:
            yield f"transaction {number} has effects, and no success"
        try:
            state = model.fold(state, commands)
        except model.Misfit as misfit:
            yield f"transaction {number}: {misfit}: {[outcome['_id'] for outcome in transaction.inserted][:5]}"
            return
    yield from compare("provider", expected_providers(state), case.evidence["providers"])
    yield from compare("consumer", state.consumers, case.evidence["consumers"])


def body_of(case, outcome):
    for send in case.of_key.get((outcome["_id"]["principal"], outcome["_id"]["key"]), []):
        if "body" in send and fingerprint(send["body"]) == bytes(outcome["fingerprint"]):
            return json.loads(send["body"])
    return None


def expected_providers(state):
    expected = {}
    for uuid, provider in state.providers.items():
        used = {name: provider["used"].get(name, 0) for name in provider["inventories"]}
        expected[uuid] = dict(provider, used=used, root=state.path(uuid)[-1])
    return expected


def compare(noun, expected, found):
    for uuid in sorted(set(expected) | set(found)):
        if expected.get(uuid) != found.get(uuid):
            yield f"{noun} {uuid}: {expected.get(uuid)} by the replay, {found.get(uuid)} in the database"


def books_balance(case):
    """Usage is the sum of the allocations; no consumer is without allocations or on a missing provider."""
    held = {}
    providers, consumers = case.evidence["providers"], case.evidence["consumers"]
    for uuid, consumer in consumers.items():
        if not consumer["allocations"]:
            yield f"consumer {uuid} has no allocations"
        for provider, resources in consumer["allocations"].items():
            if provider not in providers:
                yield f"consumer {uuid} is on {provider}, which does not exist"
            for name, amount in resources.items():
                held[provider, name] = held.get((provider, name), 0) + amount
    for uuid, provider in providers.items():
        for name, used in provider["used"].items():
            if used != held.get((uuid, name), 0):
                yield f"provider {uuid}: {name} used {used}, allocated {held.get((uuid, name), 0)}"


def reads_see_what_was_answered(case):
    """A read never shows an older generation of a provider than was answered before the read was sent."""
    answered, asked = {}, {}
    for record in case.records:
        if record["t"] == "send" and case.is_read(record):
            params = json.loads(record["body"])
            if params["command"] == "provider.get":
                uuid = params["params"]["uuid"]
                asked.setdefault(record["id"], (uuid, answered.get(uuid, 0)))
        elif record["t"] == "reply" and record["said"]["status"] == "success":
            result = record["said"]["result"]
            if record["id"] in asked and asked[record["id"]][0] == result.get("uuid"):
                uuid, least = asked[record["id"]]
                if result["generation"] < least:
                    yield f"{where(record)}: generation {result['generation']}, {least} was answered before"
            for uuid, generation in result.get("resource_provider_generations", {}).items():
                answered[uuid] = max(answered.get(uuid, 0), generation)


def nothing_is_left_in_the_queue(case):
    if case.facts["queue"] != 0:
        yield f"{case.facts['queue']} messages in allot.commands"


def all_is_answered_in_time(case):
    if case.facts["idle_s"] is None or case.facts["idle_s"] > case.facts["idle_limit_s"]:
        yield f"idle {case.facts['idle_s']} s after the last fault was cleared; unanswered: {case.facts['open'][:10]}"


def no_worker_ends_by_itself(case):
    for record in case.records:
        if record["t"] == "crash":
            yield f"line {record['line']}: {record['worker']} ended with {record['status']}"
        if record["t"] == "stop" and record["status"] != 0:
            yield f"line {record['line']}: {record['worker']} ended with {record['status']} at SIGTERM"


def the_auditor_agrees(case):
    if case.facts["audit"][0] != 0:
        yield f"allotctl audit: {case.facts['audit']}"


def enough_was_injected(case):
    healed = [record for record in case.records if record["t"] == "fault" and record["phase"] == "clear"]
    took_place = [record for record in healed if record["count"] > 0]
    if len(took_place) < case.facts["faults_min"]:
        yield f"{len(took_place)} faults took place, of at least {case.facts['faults_min']}"
    for name, least in case.facts["kinds_min"].items():
        times = sum(record["name"] == name for record in took_place)
        if times < least:
            yield f"{name}: {times} times, of at least {least}"


def enough_was_sent(case):
    if len(case.sends) < case.facts["sends_min"]:
        yield f"{len(case.sends)} commands, of at least {case.facts['sends_min']}"


RULES = [sent_is_answered_or_dead_lettered, each_command_has_one_outcome, recorded_once_and_with_the_effect,
         answers_say_what_is_on_record, refusals_fit_what_was_sent, dead_letters_are_due,
         each_dead_letter_has_one_letter, each_letter_belongs_to_a_command, each_letter_is_published,
         all_letters_are_published_in_time, exhausted_only_after_deaths, effects_are_the_fold, books_balance,
         reads_see_what_was_answered, nothing_is_left_in_the_queue, all_is_answered_in_time, no_worker_ends_by_itself, the_auditor_agrees,
         enough_was_injected, enough_was_sent]


def judge(case, rules=None):
    """[(name of the rule, its violations)]"""
    return [(rule.__name__, list(rule(case))) for rule in rules or RULES]
