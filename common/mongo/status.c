/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. An error of the server gets its class from one table, SERVER_ERRORS; one of libmongoc
 * gets it from its domain. The phase then makes a status of the class. What the table does not have
 * is UNEXPLAINED: it is neither taken for an outage for ever, nor charged to a command without the
 * proof that the database works (worker/service/applier_failure.c). Duplicate keys have a section
 * of their own, because the index decides.
 *
 * Not here: what is done about a status.
 */
#include "common/mongo/status.h"

#include <stdio.h>

#include "common/mongo/document.h"
#include "common/mongo/schema.h"

#define LABEL_TRANSIENT "TransientTransactionError"
#define LABEL_OVERLOADED "SystemOverloadedError" /* from MongoDB 8.x on */

/* The class of an error, independent of the phase in which it occurred. */
enum error_class {
    CLASS_UNEXPLAINED, /* the default: the command may be the cause, or the database */
    CLASS_TIMED_OUT,   /* the same, of a call that took too long */
    CLASS_CONFLICT,    /* another transaction or operation was faster */
    CLASS_ENDED,       /* the server ended the transaction: too old, or a conflict */
    CLASS_UNAVAILABLE, /* no primary, shutting down, out of a resource: no command is the cause */
    CLASS_REFUSED,     /* permanently rejected */
    CLASS_TOO_LARGE,   /* the load is larger than the server allows */
    CLASS_OPERATOR     /* an operator has to fix something */
};

/*
 * X(name, code, class): errors of the server. The names are those that the server gives in
 * `codeName`, which tests/unit/test_mongo_status.c compares with the list of MongoDB 6.0. Names
 * that this list does not have are of a later version. A later version may give a code another
 * name (64 is WriteConcernTimeout in 8.x), so only the codes count. Codes with a phrase have no
 * name.
 */
#define SERVER_ERRORS(X)                                                                           \
    X("MaxTimeMSExpired", 50, TIMED_OUT)                                                           \
    X("ExceededTimeLimit", 262, TIMED_OUT)                                                         \
    X("LockTimeout", 24, CONFLICT)                                                                 \
    X("NamespaceExists", 48, CONFLICT)                                                             \
    X("WriteConflict", 112, CONFLICT)                                                              \
    X("ConflictingOperationInProgress", 117, CONFLICT)                                             \
    X("TransactionTooOld", 225, CONFLICT)                                                          \
    X("SnapshotTooOld", 239, CONFLICT)                                                             \
    X("NOT_YET_AVAILABLE_TransactionAborted", 244, CONFLICT)                                       \
    X("SnapshotUnavailable", 246, CONFLICT)                                                        \
    X("PreparedTransactionInProgress", 267, CONFLICT)                                              \
    X("IndexBuildAborted", 276, CONFLICT)                                                          \
    X("IndexBuildAlreadyInProgress", 285, CONFLICT)                                                \
    X("TemporarilyUnavailable", 365, CONFLICT)                                                     \
    X("InterruptedDueToFCVChange", 10045600, CONFLICT)                                             \
    X("BackgroundOperationInProgressForDatabase", 12586, CONFLICT)                                 \
    X("BackgroundOperationInProgressForNamespace", 12587, CONFLICT)                                \
    X("NoSuchTransaction", 251, ENDED)                                                             \
    X("TransactionExceededLifetimeLimitSeconds", 290, ENDED)                                       \
    X("HostUnreachable", 6, UNAVAILABLE)                                                           \
    X("HostNotFound", 7, UNAVAILABLE)                                                              \
    X("CursorNotFound", 43, UNAVAILABLE)                                                           \
    X("WriteConcernFailed", 64, UNAVAILABLE)                                                       \
    X("NetworkTimeout", 89, UNAVAILABLE)                                                           \
    X("CallbackCanceled", 90, UNAVAILABLE)                                                         \
    X("ShutdownInProgress", 91, UNAVAILABLE)                                                       \
    X("NotYetInitialized", 94, UNAVAILABLE)                                                        \
    X("UnsatisfiableWriteConcern", 100, UNAVAILABLE)                                               \
    X("ReadConcernMajorityNotAvailableYet", 134, UNAVAILABLE)                                      \
    X("StaleTerm", 135, UNAVAILABLE)                                                               \
    X("PooledConnectionsDropped", 145, UNAVAILABLE)                                                \
    X("PrimarySteppedDown", 189, UNAVAILABLE)                                                      \
    X("TooManyLocks", 208, UNAVAILABLE)                                                            \
    X("ElectionInProgress", 216, UNAVAILABLE)                                                      \
    X("TooManyLogicalSessions", 261, UNAVAILABLE)                                                  \
    X("TooManyFilesOpen", 264, UNAVAILABLE)                                                        \
    X("ClientDisconnect", 279, UNAVAILABLE)                                                        \
    X("SplitHorizonChange", 303, UNAVAILABLE)                                                      \
    X("InterruptedDueToStorageChange", 355, UNAVAILABLE)                                           \
    X("CloseConnectionForShutdownCommand", 372, UNAVAILABLE)                                       \
    X("ReauthenticationRequired", 391, UNAVAILABLE)                                                \
    X("ResourceExhausted", 402, UNAVAILABLE)                                                       \
    X("AdmissionQueueOverflow", 433, UNAVAILABLE)                                                  \
    X("RateLimitExceeded", 449, UNAVAILABLE)                                                       \
    X("PooledConnectionAcquisitionRejected", 450, UNAVAILABLE)                                     \
    X("IngressRequestRateLimitExceeded", 462, UNAVAILABLE)                                         \
    X("SocketException", 9001, UNAVAILABLE)                                                        \
    X("LegacyNotPrimary", 10058, UNAVAILABLE)                                                      \
    X("NotWritablePrimary", 10107, UNAVAILABLE)                                                    \
    X("InterruptedAtShutdown", 11600, UNAVAILABLE)                                                 \
    X("InterruptedDueToReplStateChange", 11602, UNAVAILABLE)                                       \
    X("the quota of the database is used up", 12501, UNAVAILABLE)                                  \
    X("NotPrimaryNoSecondaryOk", 13435, UNAVAILABLE)                                               \
    X("NotPrimaryOrSecondary", 13436, UNAVAILABLE)                                                 \
    X("OutOfDiskSpace", 14031, UNAVAILABLE)                                                        \
    X("ClientMarkedKilled", 46841, UNAVAILABLE)                                                    \
    X("Overflow", 15, REFUSED)                                                                     \
    X("DocumentValidationFailure", 121, REFUSED)                                                   \
    X("ExceededMemoryLimit", 146, REFUSED)                                                         \
    X("CannotBuildIndexKeys", 201, REFUSED)                                                        \
    X("CannotIndexParallelArrays", 171, REFUSED)                                                   \
    X("TransactionTooLarge", 257, REFUSED)                                                         \
    X("QueryExceededMemoryLimitNoDiskUseAllowed", 292, REFUSED)                                    \
    X("TransactionTooLargeForCache", 388, REFUSED)                                                 \
    X("a query of a load has more than 100 MiB of rows", 4568, TOO_LARGE)                          \
    X("BSONObjectTooLarge", 10334, REFUSED)                                                        \
    X("OBSOLETE_KeyTooLong", 17280, REFUSED)                                                       \
    X("the document after the update is too large", 17419, REFUSED)                                \
    X("the document to upsert is too large", 17420, REFUSED)                                       \
    X("Unauthorized", 13, OPERATOR)                                                                \
    X("AuthenticationFailed", 18, OPERATOR)                                                        \
    X("IllegalOperation", 20, OPERATOR)                                                            \
    X("CommandNotFound", 59, OPERATOR)                                                             \
    X("CannotCreateIndex", 67, OPERATOR)                                                           \
    X("UnknownReplWriteConcern", 79, OPERATOR)                                                     \
    X("IndexOptionsConflict", 85, OPERATOR)                                                        \
    X("IndexKeySpecsConflict", 86, OPERATOR)                                                       \
    X("CommandNotSupportedOnView", 166, OPERATOR)                                                  \
    X("OperationNotSupportedInTransaction", 263, OPERATOR)                                         \
    X("APIStrictError", 323, OPERATOR)                                                             \
    X("UserWritesBlocked", 371, OPERATOR)                                                          \
    X("QueryRejectedBySettings", 411, OPERATOR)

static const struct {
    const char *name;
    uint32_t code;
    enum error_class class;
} server_errors[] = {
#define X(name, code, class_id) {name, code, CLASS_##class_id},
    SERVER_ERRORS(X)
#undef X
};

enum { SERVER_ERROR_COUNT = sizeof server_errors / sizeof *server_errors };

static enum error_class class_of_code(uint32_t code)
{
    for (size_t i = 0; i < SERVER_ERROR_COUNT; i++) {
        if (server_errors[i].code == code)
            return server_errors[i].class;
    }
    return CLASS_UNEXPLAINED; /* the server has hundreds of other codes */
}

const char *mongo_error_name(uint32_t code)
{
    for (size_t i = 0; i < SERVER_ERROR_COUNT; i++) {
        if (server_errors[i].code == code)
            return server_errors[i].name;
    }
    return NULL;
}

/* A connection that breaks in a call may be the call's fault; one that cannot be opened is not. */
static enum error_class class_of_stream(uint32_t code)
{
    switch (code) {
    case MONGOC_ERROR_STREAM_NAME_RESOLUTION:
    case MONGOC_ERROR_STREAM_CONNECT:
    case MONGOC_ERROR_STREAM_NOT_ESTABLISHED: return CLASS_UNAVAILABLE;
    default: return CLASS_UNEXPLAINED;
    }
}

/* Errors of the server are classified by code, libmongoc's own errors by domain. */
static enum error_class class_of(const bson_error_t *cause)
{
    switch (cause->domain) {
    case MONGOC_ERROR_SERVER:
    case MONGOC_ERROR_WRITE_CONCERN: return class_of_code(cause->code);
    case MONGOC_ERROR_STREAM: return class_of_stream(cause->code);
    case MONGOC_ERROR_SERVER_SELECTION:
    case MONGOC_ERROR_POOL: return CLASS_UNAVAILABLE;
    case MONGOC_ERROR_SASL:
    case MONGOC_ERROR_SCRAM: return CLASS_OPERATOR;
    case MONGOC_ERROR_CLIENT:
        return cause->code == MONGOC_ERROR_CLIENT_AUTHENTICATE ? CLASS_OPERATOR : CLASS_UNEXPLAINED;
    default: return CLASS_UNEXPLAINED;
    }
}

/* Returns whether libmongoc rejected the call itself, because of a bug in allotd. */
static bool is_our_bug(const bson_error_t *cause)
{
    return cause->domain == MONGOC_ERROR_TRANSACTION || cause->domain == MONGOC_ERROR_COMMAND;
}

/* --- duplicate keys ------------------------------------------------------------------------- */

/* Finds a member of the error in a reply: of a command, or of the first failed write of it. */
static bool find_in_error(const bson_t *reply, const char *name, bson_iter_t *ret_found)
{
    char path[64];
    bson_iter_t iter;
    (void)snprintf(path, sizeof path, "writeErrors.0.%s", name);
    return (bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, path, ret_found)) ||
           bson_iter_init_find(ret_found, reply, name);
}

/*
 * Two workers that insert the same document get a duplicate key of `_id` or of an index of
 * schema.c, and the next load shows what is stored. On an index that somebody else has added, the
 * same write fails each time.
 */
static enum error_class class_of_duplicate(const bson_t *reply)
{
    bson_t pattern;
    bson_iter_t found;
    if (reply == NULL || !find_in_error(reply, "keyPattern", &found) ||
        !document_view(&found, &pattern))
        return CLASS_UNEXPLAINED;
    if (find_in_error(reply, "collation", &found))
        return CLASS_REFUSED; /* no index of schema.c has one */
    return schema_is_unique(&pattern) ? CLASS_CONFLICT : CLASS_REFUSED;
}

/* --- labels --------------------------------------------------------------------------------- */

static bool has_label(const struct mongo_failure *failure, const char *label)
{
    return failure->reply != NULL && mongoc_error_has_label(failure->reply, label);
}

/* Of a code that the table does not have, because the server is of a later version, its labels say
   what to do. libmongoc labels its own errors too, such as a broken connection, which explains
   nothing. */
static enum error_class class_of_labels(const struct mongo_failure *failure)
{
    if (failure->cause->domain != MONGOC_ERROR_SERVER)
        return CLASS_UNEXPLAINED;
    if (has_label(failure, LABEL_OVERLOADED))
        return CLASS_UNAVAILABLE;
    return has_label(failure, LABEL_TRANSIENT) ? CLASS_CONFLICT : CLASS_UNEXPLAINED;
}

static enum error_class class_of_failure(const struct mongo_failure *failure)
{
    if (mongo_is_code(failure->cause, MONGOC_ERROR_DUPLICATE_KEY))
        return class_of_duplicate(failure->reply);
    enum error_class class = class_of(failure->cause);
    return class == CLASS_UNEXPLAINED ? class_of_labels(failure) : class;
}

/* --- the phases ----------------------------------------------------------------------------- */

static enum store_status while_preparing(const struct mongo_failure *failure)
{
    if (mongo_is_code(failure->cause, MONGOC_ERROR_DUPLICATE_KEY))
        return STORE_MISCONFIGURED; /* stored documents violate the new unique index */
    switch (class_of(failure->cause)) {
    case CLASS_CONFLICT: return STORE_CONFLICT;
    case CLASS_REFUSED:
    case CLASS_TOO_LARGE:
    case CLASS_OPERATOR: return STORE_MISCONFIGURED;
    case CLASS_ENDED:
    case CLASS_UNAVAILABLE:
    case CLASS_TIMED_OUT:
    case CLASS_UNEXPLAINED: break;
    }
    return is_our_bug(failure->cause) ? STORE_MISCONFIGURED : STORE_UNAVAILABLE;
}

static enum store_status while_running(const struct mongo_failure *failure)
{
    switch (class_of_failure(failure)) {
    case CLASS_CONFLICT: return STORE_CONFLICT;
    case CLASS_ENDED: return failure->outlived ? STORE_EXPIRED : STORE_CONFLICT;
    case CLASS_REFUSED: return STORE_REFUSED;
    case CLASS_TOO_LARGE: return STORE_TOO_LARGE;
    case CLASS_UNAVAILABLE:
    case CLASS_OPERATOR: return STORE_UNAVAILABLE;
    case CLASS_TIMED_OUT: return STORE_TIMED_OUT;
    case CLASS_UNEXPLAINED: break;
    }
    return is_our_bug(failure->cause) ? STORE_MISCONFIGURED : STORE_UNEXPLAINED;
}

/* Only the label proves that a commit had no effect. A code does not: a node that is no longer sure
   to be the primary also answers 251 (NoSuchTransaction). */
static enum store_status while_committing(const struct mongo_failure *failure)
{
    if (has_label(failure, LABEL_TRANSIENT))
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
