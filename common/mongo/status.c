/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/status.h"

#define LABEL_TRANSIENT "TransientTransactionError"

/* What a code says, before the moment is looked at. */
enum meaning {
    MEANS_NOTHING_KNOWN,
    MEANS_CONFLICT,
    MEANS_ENDED,   /* the transaction is gone: of old age, or by another's doing */
    MEANS_AWAY,    /* no primary, shutting down, too slow: wait */
    MEANS_REFUSED, /* these writes, for good */
    MEANS_PERSON   /* a person has to mend something */
};

/* X(code, name of the server's error, meaning). Source: the server's error_codes.yml, 6.0. */
#define SERVER_CODES(X)                                                                            \
    X(24, "LockTimeout", CONFLICT)                                                                 \
    X(48, "NamespaceExists", CONFLICT)                                                             \
    X(112, "WriteConflict", CONFLICT)                                                              \
    X(117, "ConflictingOperationInProgress", CONFLICT)                                             \
    X(225, "TransactionTooOld", CONFLICT)                                                          \
    X(239, "SnapshotTooOld", CONFLICT)                                                             \
    X(244, "TransactionAborted", CONFLICT)                                                         \
    X(246, "SnapshotUnavailable", CONFLICT)                                                        \
    X(267, "PreparedTransactionInProgress", CONFLICT)                                              \
    X(276, "IndexBuildAborted", CONFLICT)                                                          \
    X(11000, "DuplicateKey", CONFLICT)                                                             \
    X(12586, "BackgroundOperationInProgressForDatabase", CONFLICT)                                 \
    X(12587, "BackgroundOperationInProgressForNamespace", CONFLICT)                                \
    X(251, "NoSuchTransaction", ENDED)                                                             \
    X(290, "TransactionExceededLifetimeLimitSeconds", ENDED)                                       \
    X(6, "HostUnreachable", AWAY)                                                                  \
    X(7, "HostNotFound", AWAY)                                                                     \
    X(50, "MaxTimeMSExpired", AWAY)                                                                \
    X(64, "WriteConcernFailed", AWAY)                                                              \
    X(89, "NetworkTimeout", AWAY)                                                                  \
    X(91, "ShutdownInProgress", AWAY)                                                              \
    X(189, "PrimarySteppedDown", AWAY)                                                             \
    X(262, "ExceededTimeLimit", AWAY)                                                              \
    X(9001, "SocketException", AWAY)                                                               \
    X(10058, "LegacyNotPrimary", AWAY)                                                             \
    X(10107, "NotWritablePrimary", AWAY)                                                           \
    X(11600, "InterruptedAtShutdown", AWAY)                                                        \
    X(11602, "InterruptedDueToReplStateChange", AWAY)                                              \
    X(13435, "NotPrimaryNoSecondaryOk", AWAY)                                                      \
    X(13436, "NotPrimaryOrSecondary", AWAY)                                                        \
    X(4568, "a query of a load has more than 100 MiB of rows", REFUSED)                            \
    X(121, "DocumentValidationFailure", REFUSED)                                                   \
    X(257, "TransactionTooLarge", REFUSED)                                                         \
    X(10334, "BSONObjectTooLarge", REFUSED)                                                        \
    X(17280, "KeyTooLong", REFUSED)                                                                \
    X(17419, "resulting document after update is too large", REFUSED)                              \
    X(17420, "document to upsert is too large", REFUSED)                                           \
    X(13, "Unauthorized", PERSON)                                                                  \
    X(18, "AuthenticationFailed", PERSON)                                                          \
    X(20, "IllegalOperation", PERSON)                                                              \
    X(67, "CannotCreateIndex", PERSON)                                                             \
    X(85, "IndexOptionsConflict", PERSON)                                                          \
    X(86, "IndexKeySpecsConflict", PERSON)                                                         \
    X(166, "CommandNotSupportedOnView", PERSON)                                                    \
    X(263, "OperationNotSupportedInTransaction", PERSON)                                           \
    X(303, "APIStrictError", PERSON)

static enum meaning meaning_of_code(uint32_t code)
{
    switch (code) {
#define X(number, name, meaning)                                                                   \
    case number: return MEANS_##meaning;
        SERVER_CODES(X)
#undef X
    default: return MEANS_NOTHING_KNOWN; /* not one of our enums: the server has hundreds */
    }
}

/* The library's own errors, by domain. */
static enum meaning meaning_of_domain(const bson_error_t *cause)
{
    switch (cause->domain) {
    case MONGOC_ERROR_SERVER:
    case MONGOC_ERROR_WRITE_CONCERN: return meaning_of_code(cause->code);
    case MONGOC_ERROR_STREAM:
    case MONGOC_ERROR_PROTOCOL:
    case MONGOC_ERROR_SERVER_SELECTION:
    case MONGOC_ERROR_POOL: return MEANS_AWAY;
    case MONGOC_ERROR_SASL:
    case MONGOC_ERROR_SCRAM: return MEANS_PERSON;
    case MONGOC_ERROR_CLIENT:
        return cause->code == MONGOC_ERROR_CLIENT_AUTHENTICATE ? MEANS_PERSON : MEANS_NOTHING_KNOWN;
    default: return MEANS_NOTHING_KNOWN;
    }
}

/* The library refused the call itself: we used it wrongly. */
static bool is_our_mistake(const bson_error_t *cause)
{
    return cause->domain == MONGOC_ERROR_TRANSACTION || cause->domain == MONGOC_ERROR_COMMAND;
}

static bool is_transient(const struct mongo_failure *failure)
{
    return failure->reply != NULL && mongoc_error_has_label(failure->reply, LABEL_TRANSIENT);
}

static enum store_status while_preparing(const struct mongo_failure *failure)
{
    if (mongo_is_code(failure->cause, MONGOC_ERROR_DUPLICATE_KEY))
        return STORE_MISCONFIGURED; /* a unique index over what is there */
    switch (meaning_of_domain(failure->cause)) {
    case MEANS_CONFLICT: return STORE_CONFLICT;
    case MEANS_REFUSED:
    case MEANS_PERSON: return STORE_MISCONFIGURED;
    case MEANS_ENDED:
    case MEANS_AWAY:
    case MEANS_NOTHING_KNOWN: break;
    }
    return is_our_mistake(failure->cause) ? STORE_MISCONFIGURED : STORE_UNAVAILABLE;
}

static enum store_status while_running(const struct mongo_failure *failure)
{
    switch (meaning_of_domain(failure->cause)) {
    case MEANS_CONFLICT: return STORE_CONFLICT;
    case MEANS_ENDED: return failure->outlived ? STORE_EXPIRED : STORE_CONFLICT;
    case MEANS_REFUSED: return STORE_REFUSED;
    case MEANS_AWAY:
    case MEANS_PERSON: return STORE_UNAVAILABLE;
    case MEANS_NOTHING_KNOWN: break;
    }
    if (is_transient(failure))
        return STORE_CONFLICT;
    return is_our_mistake(failure->cause) ? STORE_MISCONFIGURED : STORE_UNAVAILABLE;
}

/* Only the transient label proves that a commit had no effect; the code alone does not (251 of a
   node that is not sure to be the primary). */
static enum store_status while_committing(const struct mongo_failure *failure)
{
    if (is_transient(failure))
        return while_running(failure);
    return is_our_mistake(failure->cause) ? STORE_MISCONFIGURED : STORE_UNKNOWN;
}

static enum store_status at_moment(const struct mongo_failure *failure)
{
    switch (failure->moment) {
    case MOMENT_PREPARE: return while_preparing(failure);
    case MOMENT_RUN: return while_running(failure);
    case MOMENT_COMMIT: return while_committing(failure);
    }
    return STORE_UNAVAILABLE;
}

enum store_status mongo_status(const struct mongo_failure *failure, struct error *error)
{
    const bson_error_t *cause = failure->cause;
    error_set(error, "mongodb: %s (%u/%u)", cause->message, cause->domain, cause->code);
    return at_moment(failure);
}

bool mongo_is_code(const bson_error_t *cause, uint32_t code)
{
    return (cause->domain == MONGOC_ERROR_SERVER || cause->domain == MONGOC_ERROR_WRITE_CONCERN) &&
           cause->code == code;
}
