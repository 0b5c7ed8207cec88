/* SPDX-License-Identifier: Apache-2.0 */
/* Inventories as replies and commands have them in JSON, and as rows of a table. */
#ifndef ALLOT_CTL_INVENTORY_JSON_H
#define ALLOT_CTL_INVENTORY_JSON_H

#include <jansson.h>

#include "common/core/inventory.h"

/* Returns the inventory of a class, from the member of this name of `inventories`, as
   provider.get and inventory.set return it. Its class is borrowed. */
struct inventory inventory_of_json(const char *resource_class, const json_t *record);
/* Returns a new record, for inventory.set. */
json_t *inventory_to_json(const struct inventory *inventory);
/* Returns whether two inventories have the same values; the classes are not compared. */
bool inventory_equal(const struct inventory *a, const struct inventory *b);

#endif
