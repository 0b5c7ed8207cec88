/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include "tests/table/plan_expand.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/table/plan_world.h"

/* Copies the word that begins here; returns its length. */
static size_t read_word(const char *from, char *word, size_t size)
{
    size_t length = 0;
    while (isalnum((unsigned char)from[length]) || from[length] == '_' || from[length] == '-')
        length++;
    assert_true(length > 0 && length < size);
    memcpy(word, from, length);
    word[length] = '\0';
    return length;
}

static void write_uuid(FILE *out, const char *short_name)
{
    (void)fprintf(out, "\"%s\"", uuid_format(world_uuid(short_name)).chars);
}

/* Writes the member for "p1@3:VCPU=4,DISK_GB=2"; "@3" is the expected generation, if given. */
static void write_allocation(FILE *out, char *word)
{
    char *amounts = strchr(word, ':');
    assert_non_null(amounts);
    *amounts++ = '\0';
    char *generation = strchr(word, '@');
    if (generation != NULL)
        *generation++ = '\0';
    write_uuid(out, word);
    (void)fprintf(out, ":{");
    if (generation != NULL)
        (void)fprintf(out, "\"generation\":%s,", generation);
    (void)fprintf(out, "\"resources\":{");
    char *rest = NULL;
    const char *comma = "";
    for (char *one = strtok_r(amounts, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
        char *amount = strchr(one, '=');
        assert_non_null(amount);
        *amount++ = '\0';
        (void)fprintf(out, "%s\"%s\":%s", comma, one, amount);
        comma = ",";
    }
    (void)fprintf(out, "}}");
}

/* Writes one member for each provider of a range such as "p1..p9:VCPU=1". For a word that is no
   range, writes its only member. */
static void write_range(FILE *out, const char *word)
{
    int first = 0, last = 0;
    char amounts[64], one[96];
    if (sscanf(word, "p%d..p%d:%63s", &first, &last, amounts) != 3) {
        (void)snprintf(one, sizeof one, "%s", word);
        write_allocation(out, one);
        return;
    }
    for (int i = first; i <= last; i++) {
        (void)snprintf(one, sizeof one, "p%d:%s", i, amounts);
        write_allocation(out, one);
        if (i < last)
            (void)fputc(',', out);
    }
}

/* Writes the object for "<...>", the allocations of a consumer; returns the length read. */
static size_t write_allocations(FILE *out, const char *from)
{
    const char *end = strchr(from, '>');
    assert_non_null(end);
    char *words = strndup(from + 1, (size_t)(end - from - 1));
    assert_non_null(words);
    char *rest = NULL;
    const char *comma = "{";
    bool any = false;
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        (void)fputs(comma, out);
        write_range(out, word);
        comma = ",";
        any = true;
    }
    (void)fputs(any ? "}" : "{}", out);
    free(words);
    return (size_t)(end - from) + 1;
}

/* Writes the next character or shorthand; returns the length read. */
static size_t write_piece(FILE *out, const char *from)
{
    char word[64];
    size_t length = 0;
    switch (*from) {
    case '@':
        length = read_word(from + 1, word, sizeof word);
        write_uuid(out, word);
        return length + 1;
    case '$':
        length = read_word(from + 1, word, sizeof word);
        (void)fprintf(out, "\"project_id\":\"%s\",\"user_id\":\"u\",\"consumer_type\":\"INSTANCE\"",
                      word);
        return length + 1;
    case '<': return write_allocations(out, from);
    default: (void)fputc(*from, out); return 1;
    }
}

struct text plan_expand(struct arena *arena, const char *shorthand)
{
    char *bytes = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&bytes, &length);
    assert_non_null(out);
    while (*shorthand != '\0')
        shorthand += write_piece(out, shorthand);
    assert_int_equal(fclose(out), 0);
    struct text text = text_copy(arena, text_view(bytes, length));
    free(bytes);
    return text;
}
