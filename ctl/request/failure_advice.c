/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/request/failure_advice.h"

const char *failure_advice(enum verdict_code code)
{
    switch (code) {
    case VERDICT_SUCCESS: return "nothing";
    case VERDICT_TOO_LARGE:
    case VERDICT_MALFORMED:
    case VERDICT_MISSING_MESSAGE_ID:
    case VERDICT_UNSUPPORTED_VERSION:
    case VERDICT_UNKNOWN_COMMAND:
    case VERDICT_INVALID: return "correct the command and send it again; the key is free";
    case VERDICT_UNAUTHENTICATED:
    case VERDICT_FORBIDDEN:
        return "see what the policy allows with 'allotctl policy test'; when it is corrected, send "
               "the same again";
    case VERDICT_IDEMPOTENCY_KEY_REUSED:
        return "the key stands for another command, or the state was read anew and the command is "
               "no longer the same; find out which of the two was meant, then use a new key";
    case VERDICT_CONSUMER_GENERATION_CONFLICT:
        return "somebody else was faster, or the generation was a wrong one: look at the consumer "
               "('allotctl consumer show'), decide again, and use a new key";
    case VERDICT_PROVIDER_GENERATION_CONFLICT:
        return "somebody else was faster, or the generation was a wrong one: look at the provider "
               "('allotctl provider show'), decide again, and use a new key";
    case VERDICT_CAPACITY_EXCEEDED:
    case VERDICT_CONSTRAINT_VIOLATION:
    case VERDICT_INVENTORY_NOT_FOUND:
        return "it does not fit there: choose another provider or amount, and a new key";
    case VERDICT_PROVIDER_NOT_FOUND:
    case VERDICT_CONSUMER_NOT_FOUND:
        return "it is not there now; if it was to be deleted, that is what was wanted";
    case VERDICT_PROVIDER_EXISTS:
    case VERDICT_PROVIDER_NAME_TAKEN:
    case VERDICT_INVALID_PARENT:
    case VERDICT_PROVIDER_HAS_CHILDREN:
    case VERDICT_PROVIDER_IN_USE:
    case VERDICT_INVENTORY_IN_USE:
        return "the state does not allow it: change what the details name first, then use a new "
               "key";
    case VERDICT_LIMIT_EXCEEDED: return "ask for less, or split the command";
    case VERDICT_DEADLINE_EXCEEDED:
        return "the command was not applied, and never will be under this key";
    case VERDICT_ATTEMPTS_EXHAUSTED:
    case VERDICT_INTERNAL:
        return "the workers or the database could not process this very command: it is among the "
               "letters ('allotctl letter list'); report it";
    }
    return "nothing is known about this code";
}
