/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/request/inventory_json.h"

#include "allot/limits.h"
#include "common/codec/ratio.h"
#include "ctl/request/reply_member.h"

struct inventory inventory_of_json(const char *resource_class, const json_t *record)
{
    struct inventory inventory = {
        .resource_class = text_of(resource_class),
        .total = reply_member_integer(record, "total"),
        .reserved = reply_member_integer(record, "reserved"),
        .min_unit = reply_member_integer(record, "min_unit"),
        .max_unit = reply_member_integer(record, "max_unit"),
        .step_size = reply_member_integer(record, "step_size"),
    };
    double ratio = json_number_value(json_object_get(record, "allocation_ratio"));
    if (!ratio_from_double(ratio, &inventory.ratio))
        inventory.ratio = RATIO_ONE;
    return inventory;
}

/* The quotient of the two integers is the double that is nearest to the decimal, as the worker
   demands it. */
json_t *inventory_to_json(const struct inventory *inventory)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:f}", "total", (json_int_t)inventory->total,
                     "reserved", (json_int_t)inventory->reserved, "min_unit",
                     (json_int_t)inventory->min_unit, "max_unit", (json_int_t)inventory->max_unit,
                     "step_size", (json_int_t)inventory->step_size, "allocation_ratio",
                     (double)inventory->ratio / RATIO_ONE);
}

bool inventory_equal(const struct inventory *a, const struct inventory *b)
{
    return a->total == b->total && a->reserved == b->reserved && a->min_unit == b->min_unit &&
           a->max_unit == b->max_unit && a->step_size == b->step_size && a->ratio == b->ratio;
}
