/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that take effect without a worker, and the letters that they would have: for tests of
   the dead-letter desk, on any store. */
#ifndef ALLOT_DESK_LETTERS_H
#define ALLOT_DESK_LETTERS_H

#include "allot/store.h"
#include "common/codec/command_decode.h"

/* All members are borrowed. The store must not be in a transaction. */
struct desk_world {
    struct store *store;
    const struct policy *policy;
    struct arena *arena; /* owns what the functions return */
};

/* Returns a delivery with this principal, key and body, which are borrowed. */
struct delivery desk_delivery(const char *principal, const char *key, const char *body);
/* Decodes a delivery whose user_id is trusted. */
void desk_decode(const struct desk_world *world, const struct delivery *delivery,
                 struct decoded *ret_decoded);

/* Loads what the requests need, in the open transaction of the store, and decides them. Returns the
   snapshot, and fills `ret_verdicts[count]`. */
struct snapshot *desk_plan(const struct desk_world *world, const struct request *const *requests,
                           size_t count, struct verdict *ret_verdicts);
/* Returns the reply of a verdict. Absent: that of the request `replay_of` of the same plan. */
struct text desk_reply(const struct desk_world *world, const struct request *request,
                       const struct verdict *verdict);
/* Decides a command in a transaction of its own, and commits what it changes. Sets its reply. A
   call of the store that fails ends the test. */
struct verdict desk_execute(const struct desk_world *world, const struct request *request,
                            struct text *ret_reply);
/* Executes the command of a delivery, which must get this answer. */
void desk_expect(const struct desk_world *world, const struct delivery *delivery,
                 enum verdict_code code);

/* Returns the open letter of a command that was dead-lettered at this time. */
struct letter_record desk_letter(const struct desk_world *world, const struct delivery *delivery,
                                 int64_t at_ms);

/* Bodies of commands. Numbers and names are string literals; C() takes two digits. */
#define P1 "00000000-0000-4000-8000-000000000001"
#define P2 "00000000-0000-4000-8000-000000000002"
#define C(number) "cccccccc-0000-4000-8000-0000000000" number
#define COMMAND(name, params) "{\"version\":1,\"command\":\"" name "\",\"params\":{" params "}}"
#define CREATE(provider, name)                                                                     \
    COMMAND("provider.create", "\"uuid\":\"" provider "\",\"name\":\"" name "\"")
#define INVENTORY(provider, vcpu)                                                                  \
    COMMAND("inventory.set", "\"uuid\":\"" provider "\",\"resource_provider_generation\":0,"       \
                             "\"inventories\":{\"VCPU\":{\"total\":" vcpu "}}")
#define SET_OF(project, consumer, provider, vcpu)                                                  \
    COMMAND("allocation.set",                                                                      \
            "\"consumer_uuid\":\"" consumer "\",\"project_id\":\"" project                         \
            "\",\"user_id\":\"u\",\"consumer_generation\":null,\"consumer_type\":\"INSTANCE\","    \
            "\"allocations\":{\"" provider "\":{\"resources\":{\"VCPU\":" vcpu "}}}")

#endif
