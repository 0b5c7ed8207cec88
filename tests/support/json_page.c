/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/json_page.h"

#include "tests/support/cmocka.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Adds the names in backquotes of the first column of a row. */
static void add_names(json_t *names, char *row)
{
    row[strcspn(row + 1, "|") + 1] = '\0';
    for (char *start = strchr(row, '`'); start != NULL; start = strchr(start, '`')) {
        char *end = strchr(start + 1, '`');
        assert_non_null(end);
        *end = '\0';
        assert_int_equal(json_object_set_new(names, start + 1, json_true()), 0);
        start = end + 1;
    }
}

/* Adds what the table below a heading has. */
static void add_table(json_t *names, FILE *page, const char *heading)
{
    char *line = NULL;
    size_t capacity = 0;
    bool inside = false;
    size_t before = json_object_size(names);
    rewind(page);
    while (getline(&line, &capacity, page) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "## ", 3) == 0)
            inside = strcmp(line + 3, heading) == 0;
        else if (inside && line[0] == '|')
            add_names(names, line);
    }
    free(line);
    if (json_object_size(names) == before)
        fail_msg("docs/allotctl-json.md has no table below '%s'", heading);
}

/* Fails if `a` has a member that `b` has not. */
static void check_has_all(const json_t *a, const json_t *b, const char *complaint)
{
    const char *name;
    const json_t *value;
    json_object_foreach((json_t *)a, name, value)
    {
        if (json_object_get(b, name) == NULL)
            fail_msg("%s: %s", name, complaint);
    }
}

void json_page_check(const json_t *object, const char *const *headings)
{
    FILE *page = fopen("docs/allotctl-json.md", "r");
    json_t *names = json_object();
    assert_non_null(page);
    for (; *headings != NULL; headings++)
        add_table(names, page, *headings);
    (void)fclose(page);
    check_has_all(object, names, "a member that docs/allotctl-json.md does not have");
    check_has_all(names, object, "only docs/allotctl-json.md has this member");
    json_decref(names);
}
