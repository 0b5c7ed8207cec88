/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the auditor only. */
#ifndef ALLOT_AUDITOR_INTERNAL_H
#define ALLOT_AUDITOR_INTERNAL_H

#include <jansson.h>

#include "tests/support/auditor.h"

enum { DOCUMENTS = 4096 };

struct audit {
    const struct world *world;
    struct error *error;
    bool failed;
    const struct provider *providers[DOCUMENTS];
    size_t provider_count;
    const struct consumer *consumers[DOCUMENTS];
    size_t consumer_count;
    const struct outcome *outcomes[DOCUMENTS];
    json_t *bodies[DOCUMENTS];   /* the outcomes' bodies; owned */
    json_t *commands[DOCUMENTS]; /* the command that each outcome answers; owned */
    size_t outcome_count;
    const struct letter_record *letters[DOCUMENTS];
    size_t letter_count;
};

/* Records a finding; only the first one is kept. */
#define FINDING(audit, ...)                                                                        \
    do {                                                                                           \
        if (!(audit)->failed)                                                                      \
            error_set((audit)->error, __VA_ARGS__);                                                \
        (audit)->failed = true;                                                                    \
    } while (0)

/* Parses JSON; NULL if it is invalid. Owned by the caller. */
json_t *audit_parse(struct text text);
/* Returns a text member; NULL where there is none. Borrowed. */
const char *audit_member(const json_t *object, const char *name);
/* Returns "success", or the code of the failure. Borrowed from the reply. */
const char *audit_code(const json_t *reply);
/* Checks generations, claims and reads (auditor_generations.c). */
void audit_generations(struct audit *audit);

/* Returns whether the command, or the same one sent before, has a dead letter. */
bool audit_is_dead(const struct audit *audit, const struct sent *sent);
/* Returns whether the broker has dead-lettered this message. */
bool audit_is_dead_of_broker(const struct audit *audit, const struct sent *sent);
/* Checks the letters and the dead letters (auditor_letters.c). */
void audit_letters(struct audit *audit);

#endif
