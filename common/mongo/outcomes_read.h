/* SPDX-License-Identifier: Apache-2.0 */
/* Reads recorded outcomes for people. `store` is one of mongo_store_new() that is not in a
   transaction. */
#ifndef ALLOT_MONGO_OUTCOMES_READ_H
#define ALLOT_MONGO_OUTCOMES_READ_H

#include "common/core/request.h"
#include "common/mongo/mongo_store.h"

/* The outcome of a key. */
struct outcome_record {
    bool exists; /* if not, all else is empty */
    struct fingerprint fingerprint;
    struct text code; /* "success", or a failure code */
    struct text command;
    struct text body; /* of the reply */
    int64_t at_ms;
    int64_t expires_at_ms;
};

/* Finds the outcomes of the keys, in one read for each 1,000. Sets `ret_outcomes[count]`, whose
   texts are in `arena`. A key that is not valid UTF-8, or absent, has none. Sees what was committed
   on a majority before the call. */
enum store_status mongo_outcomes_find(struct store *store, const struct attempt_key *keys,
                                      size_t count, struct arena *arena,
                                      struct outcome_record *ret_outcomes, struct error *error);

#endif
