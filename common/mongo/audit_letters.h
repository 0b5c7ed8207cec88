/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the audit that looks at letters. Internal to common/mongo. */
#ifndef ALLOT_MONGO_AUDIT_LETTERS_H
#define ALLOT_MONGO_AUDIT_LETTERS_H

#include "common/mongo/audit.h"
#include "common/mongo/session.h"

/* Reads the letters that fit their validator, with the options of a session, and counts them in
   `result`. Reports those that are judged wrong or suspicious, and those that cannot be read. */
enum store_status audit_letters(struct mongo_store *store, const bson_t *session_options,
                                const struct audit_options *options, struct audit_result *result,
                                struct error *error);

#endif
