/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/form.h"

#include <ctype.h>
#include <string.h>

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)tolower((unsigned char)c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool is_escape(struct text text, size_t at)
{
    return text.bytes[at] == '%' && text.length - at > 2 && digit_of(text.bytes[at + 1]) >= 0 &&
           digit_of(text.bytes[at + 2]) >= 0;
}

struct text form_decode(struct text encoded, struct arena *arena)
{
    char *bytes = arena_alloc(arena, encoded.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < encoded.length; i++) {
        if (is_escape(encoded, i)) {
            bytes[length++] =
                (char)(digit_of(encoded.bytes[i + 1]) * 16 + digit_of(encoded.bytes[i + 2]));
            i += 2;
        } else {
            bytes[length++] = encoded.bytes[i] == '+' ? ' ' : encoded.bytes[i];
        }
    }
    return text_view(bytes, length);
}

/* Returns the text before the first `separator`, and moves `rest` behind it. */
static struct text take_until(struct text *rest, char separator)
{
    const char *end = memchr(rest->bytes, separator, rest->length);
    size_t length = end != NULL ? (size_t)(end - rest->bytes) : rest->length;
    size_t skipped = length + (end != NULL);
    struct text taken = text_view(rest->bytes, length);
    *rest = text_view(rest->bytes + skipped, rest->length - skipped);
    return taken;
}

bool form_parse(struct text encoded, struct arena *arena, struct form *ret_form)
{
    size_t capacity = 0;
    *ret_form = (struct form){NULL, 0};
    while (encoded.length > 0) {
        struct text value = take_until(&encoded, '&');
        if (value.length == 0)
            continue;
        if (ret_form->count == FORM_FIELDS_MAX)
            return false;
        ret_form->fields = arena_grown(arena, ret_form->fields, ret_form->count, &capacity,
                                       sizeof *ret_form->fields);
        struct text name = take_until(&value, '=');
        ret_form->fields[ret_form->count++] =
            (struct form_field){form_decode(name, arena), form_decode(value, arena)};
    }
    return true;
}

struct text form_value(const struct form *form, const char *name)
{
    for (size_t i = 0; i < form->count; i++)
        if (text_is(form->fields[i].name, name))
            return form->fields[i].value;
    return TEXT_NONE;
}

bool form_given(const struct form *form, const char *name)
{
    return form_value(form, name).length > 0;
}

int64_t form_number(const struct form *form, const char *name, int64_t most, int64_t otherwise)
{
    struct text digits = form_value(form, name);
    int64_t number = 0;
    if (digits.length == 0 || digits.length > 18)
        return otherwise;
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.bytes[i] < '0' || digits.bytes[i] > '9')
            return otherwise;
        number = number * 10 + (digits.bytes[i] - '0');
    }
    return number <= most ? number : otherwise;
}
