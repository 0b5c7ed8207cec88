/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the auditor; nobody else's. */
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
    json_t *bodies[DOCUMENTS];   /* of the outcomes */
    json_t *commands[DOCUMENTS]; /* what the outcomes answer */
    size_t outcome_count;
};

/* The first finding stays. */
#define FINDING(audit, ...)                                                                        \
    do {                                                                                           \
        if (!(audit)->failed)                                                                      \
            error_set((audit)->error, __VA_ARGS__);                                                \
        (audit)->failed = true;                                                                    \
    } while (0)

json_t *audit_parse(struct text text);
/* A text member; NULL where there is none. */
const char *audit_member(const json_t *object, const char *name);
/* Of a reply: "success", or the failure's code. */
const char *audit_code(const json_t *reply);
void audit_generations(struct audit *audit);

#endif
