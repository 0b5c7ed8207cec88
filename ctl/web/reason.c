/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/reason.h"

#define PRODUCER "It is a mistake in the producer: correct the producer. "
#define EDIT "The command can be edited here and sent under a new key."
#define STATE                                                                                      \
    "The recorded answer stays under the key: what is to be done now needs a new key. Correct "    \
    "the "                                                                                         \
    "command with Edit, or close the letter if nothing is to be done."

/* Failures in the order of the contract (verdict.h), then the reasons of the broker. */
static const struct reason reasons[] = {
    {"too_large", "The body is over 1 MiB.",
     PRODUCER "The letter has only the first part of the body, so it cannot be replayed."},
    {"malformed", "The body is not valid JSON or is nested too deeply, or its type is not JSON.",
     PRODUCER EDIT},
    {"missing_message_id", "The message has no valid message_id, which is the idempotency key.",
     PRODUCER "A replay with a new key can send the command."},
    {"unauthenticated", "The message has no user_id, or the policy does not know this principal.",
     "Add the principal to the policy and reload the workers, then replay the letter; or find out "
     "who publishes without user_id."},
    {"unsupported_version", "The command has a version that the worker does not know.",
     PRODUCER EDIT},
    {"unknown_command", "There is no command of this name.", PRODUCER EDIT},
    {"invalid", "A member of the command is missing, unknown, of the wrong type or out of range.",
     "The detail names the place. " PRODUCER EDIT},
    {"idempotency_key_reused", "The key is recorded with another body.",
     "Find out which of the two commands was meant. A replay with the same key fails again: edit "
     "the letter, which sends it under a new key, or discard it."},
    {"attempts_exhausted", "Workers crashed several times while they processed this command.",
     "Report a bug, with the message and a core dump. Replay the letter only after the cause is "
     "fixed."},
    {"forbidden", "The policy does not allow this principal to do this.",
     "If it should be allowed, change the policy, reload the workers, and replay the letter. "
     "Nothing was recorded, so the replay is decided anew. Otherwise discard it."},
    {"deadline_exceeded", "The deadline had passed when the command was planned.",
     "The command was not applied, and never will be under this key. Edit sends it under a new "
     "key, without the deadline. Look for an outage if there are many."},
    {"limit_exceeded", "The command or its reply is larger than a limit, or a read takes too long.",
     "Split the command, or ask for less."},
    {"consumer_generation_conflict", "Another producer has changed the consumer before.",
     "The producer has to read again, decide again, and use a new key. " STATE},
    {"consumer_not_found", "The consumer does not exist.",
     "For a deletion this usually is what was wanted: resolve the letter. " STATE},
    {"provider_exists", "A provider with this UUID exists already.", STATE},
    {"provider_not_found", "Providers of the command do not exist.",
     "Create the provider if it is missing. " STATE},
    {"provider_name_taken", "Another provider has this name.", STATE},
    {"invalid_parent", "The parent does not exist, or is below the provider.", STATE},
    {"provider_generation_conflict", "Another producer has changed the provider before.",
     "The producer has to read again, decide again, and use a new key. " STATE},
    {"provider_has_children", "The provider has children.", STATE},
    {"provider_in_use", "The provider has allocations.", STATE},
    {"inventory_in_use", "Allocations use a class that the new inventory does not have.", STATE},
    {"inventory_not_found", "The provider has no inventory of this class.", STATE},
    {"constraint_violation", "The amount does not fit min_unit, max_unit or step_size.", STATE},
    {"capacity_exceeded", "The allocation is larger than what is free.",
     "Free capacity, or choose another provider. " STATE},
    {"internal", "The database rejects this command, also alone.",
     "Look for batch.failed in the log of the workers. Correct the database, or report a bug; then "
     "replay the letter."},
    {"expired", "The broker itself dead-lettered the command: its expiration ran out.",
     "Look for an outage of all workers. A replay leaves the expiration out, so it is decided "
     "now."},
    {"delivery_limit", "The broker delivered the command more often than its limit allows.",
     "Look for workers that were restarted again and again; then replay the letter."},
    {"maxlen", "The queue of the broker was full.",
     "Look for an outage of all workers, and at the policy of the queue; then replay the letter."},
    {"rejected", "The client library of a worker could not read the command.",
     PRODUCER "Its headers are over 1 MiB, or nested too deeply."},
    {"unreadable", "A worker could not read the copy in the desk queue.",
     "All such copies share this letter, which has no message. Look for the message in the "
     "dead-letter queue, with another client."},
    {"unknown", "No header says why the message is in the dead-letter queue.",
     "Somebody published it to the dead-letter exchange: find out who may write there."},
};
enum { REASON_COUNT = sizeof reasons / sizeof reasons[0] };

const struct reason *reason_at(size_t index)
{
    return index < REASON_COUNT ? &reasons[index] : NULL;
}

const struct reason *reason_find(struct text name)
{
    for (size_t i = 0; i < REASON_COUNT; i++)
        if (text_is(name, reasons[i].name))
            return &reasons[i];
    return NULL;
}
