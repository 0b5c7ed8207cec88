/* SPDX-License-Identifier: Apache-2.0 */
/* The values of --resource and --provider: what a consumer gets, and what a provider has. Pure. */
#ifndef ALLOT_CTL_RESOURCE_ARGUMENT_H
#define ALLOT_CTL_RESOURCE_ARGUMENT_H

#include "common/base/error.h"
#include "common/core/command.h"
#include "ctl/options.h"

/* An amount of one class: "VCPU=2". */
struct resource {
    const char *argument; /* as it was given */
    struct text resource_class;
    int64_t amount;
};

/* A provider with the resources that belong to it. */
struct resource_group {
    const char *provider; /* a name or a UUID */
    struct resource *resources;
    size_t count, capacity;
};

struct resource_groups {
    struct resource_group *groups;
    size_t count, capacity;
};

/*
 * Reads the options --resource and --provider in their order. If the first is a --provider, the
 * resources behind it belong to it, up to the next one. If it is a --resource, a --provider gets
 * those before it. A single --provider gets all. The groups are in `arena`; texts are borrowed.
 * Returns false, with an error that names the argument, if one is invalid, a class or a provider is
 * given twice, or one has nothing that belongs to it.
 */
ALLOT_CHECK bool resource_groups_read(const struct option_item *items, size_t count,
                                      struct arena *arena, struct resource_groups *ret_groups,
                                      struct error *error);

/*
 * Reads an inventory: "MEMORY_MB=65536:reserved=512,allocation_ratio=1.5". What is not given has
 * the default of the protocol. Returns false, with an error that names the argument, if one is
 * invalid, or a class is given twice.
 */
ALLOT_CHECK bool inventories_read(const struct option_item *items, size_t count,
                                  struct arena *arena, struct inventory **ret_inventories,
                                  struct error *error);

#endif
