/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/check_list.h"

#include <stdio.h>
#include <string.h>

#include "ctl/output.h"

enum { FIRST_CAPACITY = 32, STATE_COLUMNS = 11 };

static const char *const state_names[] = {[CHECK_OK] = "ok",
                                          [CHECK_WARNING] = "warning",
                                          [CHECK_DIFFERENT] = "different",
                                          [CHECK_UNKNOWN] = "unknown"};

struct check_list check_list_new(struct arena *arena)
{
    return (struct check_list){.arena = arena,
                               .checks = ARENA_ARRAY(arena, struct check, FIRST_CAPACITY),
                               .capacity = FIRST_CAPACITY};
}

void check_list_add(struct check_list *list, struct check check)
{
    if (list->count == list->capacity) {
        struct check *larger = ARENA_ARRAY(list->arena, struct check, 2 * list->capacity);
        memcpy(larger, list->checks, list->count * sizeof *larger);
        list->checks = larger;
        list->capacity *= 2;
    }
    list->checks[list->count++] = check;
}

size_t check_list_count(const struct check_list *list, enum check_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        count += list->checks[i].state == state;
    return count;
}

static void print_check(const struct check *check)
{
    (void)printf("%-*s", STATE_COLUMNS, state_names[check->state]);
    print_printable(stdout, check->subject);
    if (check->finding.length > 0)
        (void)fputs(": ", stdout);
    print_printable_line(stdout, check->finding);
    if (check->remedy.length > 0) {
        (void)printf("%*s%s: ", STATE_COLUMNS, "",
                     check->state == CHECK_UNKNOWN ? "ask" : "remedy");
        print_printable_line(stdout, check->remedy);
    }
}

void check_list_print(const struct check_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        print_check(&list->checks[i]);
}
