/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/verdict.h"

#include <assert.h>
#include <stdarg.h>

struct code {
    const char *name;
    bool recorded;
    bool retryable;
    bool always_dead_lettered;
};

static const struct code codes[] = {[VERDICT_SUCCESS] = {"success", true, false, false},
#define X(id, name, recorded, retryable, dead, when, details)                                      \
    [VERDICT_##id] = {name, recorded, retryable, dead},
                                    VERDICT_FAILURES(X)
#undef X
};

const char *verdict_name(enum verdict_code code)
{
    return codes[code].name;
}

bool verdict_parse(struct text name, enum verdict_code *ret_code)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (!text_is(name, codes[i].name))
            continue;
        *ret_code = (enum verdict_code)i;
        return true;
    }
    return false;
}

bool verdict_recorded(enum verdict_code code)
{
    return codes[code].recorded;
}

bool verdict_retryable(enum verdict_code code)
{
    return codes[code].retryable;
}

bool verdict_always_dead_lettered(enum verdict_code code)
{
    return codes[code].always_dead_lettered;
}

void verdict_refuse(struct verdict *verdict, struct arena *arena, enum verdict_code code,
                    const char *format, ...)
{
    verdict->code = code;
    verdict->detail_count = 0;
    va_list arguments;
    va_start(arguments, format);
    verdict->message = text_vformat(arena, format, arguments);
    va_end(arguments);
}

static struct detail *add(struct verdict *verdict, const char *name, enum detail_kind kind)
{
    assert(verdict->detail_count < VERDICT_DETAILS_MAX);
    struct detail *detail = &verdict->details[verdict->detail_count++];
    *detail = (struct detail){.name = name, .kind = kind};
    return detail;
}

void verdict_add_null(struct verdict *verdict, const char *name)
{
    (void)add(verdict, name, DETAIL_NULL);
}

void verdict_add_integer(struct verdict *verdict, const char *name, int64_t value)
{
    add(verdict, name, DETAIL_INTEGER)->value.integer = value;
}

void verdict_add_text(struct verdict *verdict, const char *name, struct text value)
{
    add(verdict, name, DETAIL_TEXT)->value.text = value;
}

void verdict_add_uuid(struct verdict *verdict, const char *name, struct uuid value)
{
    add(verdict, name, DETAIL_UUID)->value.uuid = value;
}

void verdict_add_texts(struct verdict *verdict, const char *name, const struct text *values,
                       size_t count)
{
    struct detail *detail = add(verdict, name, DETAIL_TEXTS);
    detail->value.texts = values;
    detail->count = count;
}

void verdict_add_uuids(struct verdict *verdict, const char *name, const struct uuid *values,
                       size_t count)
{
    struct detail *detail = add(verdict, name, DETAIL_UUIDS);
    detail->value.uuids = values;
    detail->count = count;
}

const struct detail *verdict_detail(const struct verdict *verdict, const char *name)
{
    for (size_t i = 0; i < verdict->detail_count; i++) {
        if (text_is(text_of(name), verdict->details[i].name))
            return &verdict->details[i];
    }
    return NULL;
}

void verdict_refuse_exhausted(struct verdict *verdict, struct arena *arena, int64_t attempts,
                              const char *doing)
{
    verdict_refuse(verdict, arena, VERDICT_ATTEMPTS_EXHAUSTED,
                   "%lld workers crashed while %s this command", (long long)attempts, doing);
    verdict_add_integer(verdict, "attempts", attempts);
}
