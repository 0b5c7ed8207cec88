/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that says what an error of the library or of the server means to us. Inside of
 * common/mongo.
 */
#ifndef ALLOT_MONGO_STATUS_H
#define ALLOT_MONGO_STATUS_H

#include <mongoc/mongoc.h>

#include "allot/store.h"

/*
 * When the error came, since one code does not mean the same everywhere.
 *   PREPARE  a wrong password or index is for a person to mend: MISUSE; CONFLICT: try again at once
 *   RUN      the same is UNAVAILABLE: nothing may be lost until it is mended
 *   COMMIT   whatever does not prove that nothing took effect is UNKNOWN
 */
enum mongo_phase { PHASE_PREPARE, PHASE_RUN, PHASE_COMMIT };

struct mongo_failure {
    const bson_error_t *cause; /* of error API version 2 */
    const bson_t *reply;       /* carries the labels; NULL where there is none */
    enum mongo_phase phase;
    bool outlived; /* the transaction is old enough for the server to have ended it */
};

/* Never STORE_OK. Fills `error`. An error that nobody knows is UNAVAILABLE: nothing is lost then.
 */
enum store_status mongo_status(const struct mongo_failure *failure, struct error *error);

/* Is this an answer of the server with that code? */
bool mongo_is_code(const bson_error_t *cause, uint32_t code);

#endif
