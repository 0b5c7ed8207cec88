/* SPDX-License-Identifier: Apache-2.0 */
/* Translates errors of libmongoc and of the server to the port's statuses. Internal to
   common/mongo. */
#ifndef ALLOT_MONGO_STATUS_H
#define ALLOT_MONGO_STATUS_H

#include "allot/store.h"
#include "common/mongo/libmongoc.h"

/*
 * The phase in which an error occurred, since the same code does not mean the same in each.
 *   PREPARE  what an operator has to fix, such as a wrong password or index, is MISCONFIGURED
 *   RUN      the same is UNAVAILABLE: no command may be lost until it is fixed
 *   COMMIT   each error that does not prove that nothing took effect is UNKNOWN
 */
enum mongo_phase { PHASE_PREPARE, PHASE_RUN, PHASE_COMMIT };

struct mongo_failure {
    const bson_error_t *cause; /* of error API version 2 */
    const bson_t *reply;       /* with the error labels; NULL if there is no reply */
    enum mongo_phase phase;
    bool outlived; /* the transaction is old enough that the server may have ended it */
};

/* Returns the status of a failure, never STORE_OK, and sets `error`. An error that is not in the
   table is UNEXPLAINED (UNKNOWN in a commit, UNAVAILABLE while preparing). */
enum store_status mongo_status(const struct mongo_failure *failure, struct error *error);

/* Returns the name of an error of the server; NULL if the table does not have it. Static. */
const char *mongo_error_name(uint32_t code);

/* Returns whether the server answered with this code. */
bool mongo_is_code(const bson_error_t *cause, uint32_t code);

#endif
