/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/filter.h"

#include "ctl/web/parts.h"

enum { FIELD_COUNT = 6 };

/* The texts of a filter, with the names of their fields and, if people may set them, labels. */
struct filter_field {
    const char *name;
    const char *label; /* NULL: none */
    struct text value;
};

static void list_fields(const struct letter_filter *filter, struct filter_field *ret_fields)
{
    const struct filter_field fields[FIELD_COUNT] = {
        {"group", NULL, filter->group},
        {"reason", "Reason", filter->reason},
        {"principal", "Principal", filter->principal},
        {"command", "Command", filter->command},
        {"project", "Project", filter->project},
        {"run", NULL, filter->run},
    };
    for (size_t i = 0; i < FIELD_COUNT; i++)
        ret_fields[i] = fields[i];
}

static struct text given(const struct form *form, const char *name)
{
    struct text value = form_value(form, name);
    return value.length > 0 ? value : TEXT_NONE;
}

struct letter_filter filter_read(const struct form *form, struct arena *arena)
{
    struct letter_filter filter = {
        .group = given(form, "group"),
        .reason = given(form, "reason"),
        .principal = given(form, "principal"),
        .command = given(form, "command"),
        .project = given(form, "project"),
        .run = given(form, "run"),
    };
    struct text provider = given(form, "provider");
    filter.has_state = letter_state_parse(form_value(form, "state"), &filter.state);
    filter.has_provider = text_present(provider);
    if (filter.has_provider && !uuid_parse(provider, &filter.provider)) {
        struct text *nothing = ARENA_NEW(arena, struct text);
        *nothing = text_of("-"); /* no letter has this id */
        filter.ids = nothing;
        filter.id_count = 1;
    }
    return filter;
}

static const char *state_value(const struct letter_filter *filter)
{
    return filter->has_state ? letter_state_name(filter->state) : "all";
}

void filter_add_query(struct html *html, const struct letter_filter *filter)
{
    struct filter_field fields[FIELD_COUNT];
    list_fields(filter, fields);
    html_format(html, "?state=%s", state_value(filter));
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (!text_present(fields[i].value))
            continue;
        html_format(html, "&%s=", fields[i].name);
        html_url(html, fields[i].value);
    }
    if (filter->has_provider && filter->id_count == 0)
        html_format(html, "&provider=%s", uuid_format(filter->provider).chars);
}

void filter_add_hidden(struct html *html, const struct letter_filter *filter)
{
    struct filter_field fields[FIELD_COUNT];
    list_fields(filter, fields);
    part_hidden(html, "state", text_of(state_value(filter)));
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (text_present(fields[i].value))
            part_hidden(html, fields[i].name, fields[i].value);
    if (filter->has_provider)
        part_hidden(html, "provider", text_of(uuid_format(filter->provider).chars));
}

static void add_tab(struct html *html, const char *path, const struct letter_filter *filter,
                    const char *label, bool current)
{
    html_raw(html, "<a href=\"");
    html_string(html, path);
    filter_add_query(html, filter);
    html_raw(html, "\"");
    if (current)
        html_raw(html, " aria-current=\"true\"");
    html_raw(html, ">");
    html_string(html, label);
    html_raw(html, "</a>");
}

void filter_add_tabs(struct html *html, const char *path, const struct letter_filter *filter)
{
    html_raw(html, "<nav class=\"tabs\" aria-label=\"State of the letters\">");
    struct letter_filter other = *filter;
    other.has_state = true;
#define X(id, name)                                                                                \
    other.state = LETTER_##id;                                                                     \
    add_tab(html, path, &other, name, filter->has_state && filter->state == LETTER_##id);
    LETTER_STATES(X)
#undef X
    other.has_state = false;
    add_tab(html, path, &other, "all", !filter->has_state);
    html_raw(html, "</nav>");
}

bool filter_is_detailed(const struct letter_filter *filter)
{
    return text_present(filter->reason) || text_present(filter->principal) ||
           text_present(filter->command) || text_present(filter->project) || filter->has_provider ||
           filter->id_count > 0;
}

void filter_add_form(struct html *html, const struct letter_filter *filter)
{
    struct filter_field fields[FIELD_COUNT];
    list_fields(filter, fields);
    html_raw(html, "<details class=\"filter\"");
    if (filter_is_detailed(filter))
        html_raw(html, " open");
    html_raw(html, "><summary>Filter</summary><form method=\"get\" action=\"/letters\">");
    part_hidden(html, "state", text_of(state_value(filter)));
    if (text_present(filter->group))
        part_hidden(html, "group", filter->group);
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (fields[i].label != NULL)
            part_input(html, fields[i].name, fields[i].label, fields[i].value);
    part_input(html, "provider", "Provider (UUID)",
               filter->has_provider && filter->id_count == 0
                   ? text_copy(html->arena, text_of(uuid_format(filter->provider).chars))
                   : TEXT_NONE);
    html_raw(html, "<button>Show</button></form></details>");
}
