/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/status.h"

#define LABEL_TRANSIENT "TransientTransactionError"

/* The class of an error, independent of the phase in which it occurred. */
enum error_class {
    CLASS_UNKNOWN,
    CLASS_CONFLICT,    /* another transaction or operation was faster */
    CLASS_ENDED,       /* the server ended the transaction: too old, or a conflict */
    CLASS_UNAVAILABLE, /* no primary, shutting down, too slow */
    CLASS_REFUSED,     /* permanently rejected */
    CLASS_OPERATOR     /* an operator has to fix something */
};

/* X(code, name, class): errors of the server, from src/mongo/base/error_codes.yml of MongoDB 6.0.
   Codes with a phrase have no name there. */
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
    X(6, "HostUnreachable", UNAVAILABLE)                                                           \
    X(7, "HostNotFound", UNAVAILABLE)                                                              \
    X(50, "MaxTimeMSExpired", UNAVAILABLE)                                                         \
    X(64, "WriteConcernFailed", UNAVAILABLE)                                                       \
    X(89, "NetworkTimeout", UNAVAILABLE)                                                           \
    X(91, "ShutdownInProgress", UNAVAILABLE)                                                       \
    X(189, "PrimarySteppedDown", UNAVAILABLE)                                                      \
    X(262, "ExceededTimeLimit", UNAVAILABLE)                                                       \
    X(9001, "SocketException", UNAVAILABLE)                                                        \
    X(10058, "LegacyNotPrimary", UNAVAILABLE)                                                      \
    X(10107, "NotWritablePrimary", UNAVAILABLE)                                                    \
    X(11600, "InterruptedAtShutdown", UNAVAILABLE)                                                 \
    X(11602, "InterruptedDueToReplStateChange", UNAVAILABLE)                                       \
    X(13435, "NotPrimaryNoSecondaryOk", UNAVAILABLE)                                               \
    X(13436, "NotPrimaryOrSecondary", UNAVAILABLE)                                                 \
    X(4568, "a query of a load has more than 100 MiB of rows", REFUSED)                            \
    X(121, "DocumentValidationFailure", REFUSED)                                                   \
    X(257, "TransactionTooLarge", REFUSED)                                                         \
    X(10334, "BSONObjectTooLarge", REFUSED)                                                        \
    X(17280, "KeyTooLong", REFUSED)                                                                \
    X(17419, "resulting document after update is too large", REFUSED)                              \
    X(17420, "document to upsert is too large", REFUSED)                                           \
    X(13, "Unauthorized", OPERATOR)                                                                \
    X(18, "AuthenticationFailed", OPERATOR)                                                        \
    X(20, "IllegalOperation", OPERATOR)                                                            \
    X(67, "CannotCreateIndex", OPERATOR)                                                           \
    X(85, "IndexOptionsConflict", OPERATOR)                                                        \
    X(86, "IndexKeySpecsConflict", OPERATOR)                                                       \
    X(166, "CommandNotSupportedOnView", OPERATOR)                                                  \
    X(263, "OperationNotSupportedInTransaction", OPERATOR)                                         \
    X(303, "APIStrictError", OPERATOR)

static enum error_class class_of_code(uint32_t code)
{
    switch (code) {
#define X(number, name, class_id)                                                                  \
    case number: return CLASS_##class_id;
        SERVER_CODES(X)
#undef X
    default: return CLASS_UNKNOWN; /* the server has hundreds of other codes */
    }
}

/* Errors of the server are classified by code, libmongoc's own errors by domain. */
static enum error_class class_of(const bson_error_t *cause)
{
    switch (cause->domain) {
    case MONGOC_ERROR_SERVER:
    case MONGOC_ERROR_WRITE_CONCERN: return class_of_code(cause->code);
    case MONGOC_ERROR_STREAM:
    case MONGOC_ERROR_PROTOCOL:
    case MONGOC_ERROR_SERVER_SELECTION:
    case MONGOC_ERROR_POOL: return CLASS_UNAVAILABLE;
    case MONGOC_ERROR_SASL:
    case MONGOC_ERROR_SCRAM: return CLASS_OPERATOR;
    case MONGOC_ERROR_CLIENT:
        return cause->code == MONGOC_ERROR_CLIENT_AUTHENTICATE ? CLASS_OPERATOR : CLASS_UNKNOWN;
    default: return CLASS_UNKNOWN;
    }
}

/* Returns whether libmongoc rejected the call itself, because of a bug in allotd. */
static bool is_our_bug(const bson_error_t *cause)
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
        return STORE_MISCONFIGURED; /* stored documents violate the new unique index */
    switch (class_of(failure->cause)) {
    case CLASS_CONFLICT: return STORE_CONFLICT;
    case CLASS_REFUSED:
    case CLASS_OPERATOR: return STORE_MISCONFIGURED;
    case CLASS_ENDED:
    case CLASS_UNAVAILABLE:
    case CLASS_UNKNOWN: break;
    }
    return is_our_bug(failure->cause) ? STORE_MISCONFIGURED : STORE_UNAVAILABLE;
}

static enum store_status while_running(const struct mongo_failure *failure)
{
    switch (class_of(failure->cause)) {
    case CLASS_CONFLICT: return STORE_CONFLICT;
    case CLASS_ENDED: return failure->outlived ? STORE_EXPIRED : STORE_CONFLICT;
    case CLASS_REFUSED: return STORE_REFUSED;
    case CLASS_UNAVAILABLE:
    case CLASS_OPERATOR: return STORE_UNAVAILABLE;
    case CLASS_UNKNOWN: break;
    }
    if (is_transient(failure))
        return STORE_CONFLICT;
    return is_our_bug(failure->cause) ? STORE_MISCONFIGURED : STORE_UNAVAILABLE;
}

/* Only the label proves that a commit had no effect. A code does not: a node that is no longer sure
   to be the primary also answers 251 (NoSuchTransaction). */
static enum store_status while_committing(const struct mongo_failure *failure)
{
    if (is_transient(failure))
        return while_running(failure);
    return is_our_bug(failure->cause) ? STORE_MISCONFIGURED : STORE_UNKNOWN;
}

static enum store_status status_of(const struct mongo_failure *failure)
{
    switch (failure->phase) {
    case PHASE_PREPARE: return while_preparing(failure);
    case PHASE_RUN: return while_running(failure);
    case PHASE_COMMIT: return while_committing(failure);
    }
    return STORE_UNAVAILABLE;
}

enum store_status mongo_status(const struct mongo_failure *failure, struct error *error)
{
    const bson_error_t *cause = failure->cause;
    error_set(error, "mongodb: %s (%u/%u)", cause->message, cause->domain, cause->code);
    return status_of(failure);
}

bool mongo_is_code(const bson_error_t *cause, uint32_t code)
{
    return (cause->domain == MONGOC_ERROR_SERVER || cause->domain == MONGOC_ERROR_WRITE_CONCERN) &&
           cause->code == code;
}
