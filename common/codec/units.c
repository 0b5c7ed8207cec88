/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/units.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Each list is sorted from the smallest unit to the largest, and ends with a NULL name. */
static const struct unit counts[] = {{"", 1}, {NULL, 0}};
static const struct unit durations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};
static const struct unit sizes[] = {
    {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0},
};

static const struct unit *units_of(enum unit_kind kind)
{
    switch (kind) {
    case UNIT_COUNT: return counts;
    case UNIT_DURATION: return durations;
    case UNIT_BYTES: return sizes;
    }
    return counts;
}

static const struct unit *unit_named(enum unit_kind kind, struct text name)
{
    for (const struct unit *unit = units_of(kind); unit->name != NULL; unit++) {
        if (text_is(name, unit->name))
            return unit;
    }
    return NULL;
}

/* Returns how many digits the text begins with. */
static size_t count_digits(struct text text)
{
    size_t count = 0;
    while (count < text.length && text.bytes[count] >= '0' && text.bytes[count] <= '9')
        count++;
    return count;
}

/* Returns the number, or INT64_MAX if it is larger. */
static int64_t saturated_number(struct text digits)
{
    int64_t number = 0;
    for (size_t i = 0; i < digits.length; i++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, digits.bytes[i] - '0', &number))
            return INT64_MAX;
    }
    return number;
}

bool units_parse(enum unit_kind kind, struct text text, int64_t *ret_value)
{
    size_t digits = count_digits(text);
    if (digits == 0 || (digits > 1 && text.bytes[0] == '0'))
        return false;
    struct text name = text_view(text.bytes + digits, text.length - digits);
    const struct unit *unit = unit_named(kind, name);
    if (unit == NULL)
        return false;

    int64_t value = saturated_number(text_view(text.bytes, digits));
    if (__builtin_mul_overflow(value, unit->factor, &value))
        value = INT64_MAX;
    *ret_value = value;
    return true;
}

struct units_text units_format(enum unit_kind kind, int64_t value)
{
    const struct unit *best = units_of(kind);
    for (const struct unit *unit = best; unit->name != NULL; unit++) {
        if (value != 0 && value % unit->factor == 0)
            best = unit;
    }
    struct units_text text;
    (void)snprintf(text.chars, sizeof text.chars, "%" PRId64 "%s", value / best->factor,
                   best->name);
    return text;
}

const char *units_wanted(enum unit_kind kind)
{
    switch (kind) {
    case UNIT_COUNT: return "a whole number without a unit";
    case UNIT_DURATION: return "a whole number with one of the units ms, s, m, h, d";
    case UNIT_BYTES: return "a whole number with one of the units B, KiB, MiB, GiB";
    }
    return "";
}
