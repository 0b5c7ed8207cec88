/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Each function writes one part of a page, and nothing around it. Sections: texts and
 * times, forms, properties.
 *
 * A text of others is cut, so that no part becomes too long to be read, and goes through
 * html_text() or html_url(). What is absent shows as a dash, or as no row at all.
 *
 * Not here: what a page consists of (a file for each), and the frame of pages (page.c).
 */
#include "ctl/web/parts.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/codec/text_cut.h"
#include "ctl/time_text.h"

void part_text(struct html *html, struct text text, size_t most)
{
    struct text cut = text_cut(text, most);
    if (!text_present(text)) {
        html_raw(html, "<span class=\"faint\">\xE2\x80\x93</span>");
        return;
    }
    html_text(html, cut);
    if (cut.length < text.length)
        html_format(html, "\xE2\x80\xA6 (%zu bytes more)", text.length - cut.length);
}

static void begin_time(struct html *html, int64_t time_ms)
{
    html_raw(html, "<time");
    html_attribute(html, "datetime", text_of(time_format(time_ms).chars));
    html_attribute(html, "title", text_of(time_format_local(time_ms).chars));
    html_raw(html, ">");
}

static void add_age(struct html *html, int64_t time_ms, int64_t now_ms)
{
    if (time_ms > now_ms)
        html_raw(html, "just now");
    else
        html_format(html, "%s ago", time_format_age(time_ms, now_ms).chars);
}

void part_age(struct html *html, int64_t time_ms, int64_t now_ms)
{
    if (time_ms <= 0) {
        html_raw(html, "<span class=\"faint\">\xE2\x80\x93</span>");
        return;
    }
    begin_time(html, time_ms);
    add_age(html, time_ms, now_ms);
    html_raw(html, "</time>");
}

void part_time(struct html *html, int64_t time_ms, int64_t now_ms)
{
    begin_time(html, time_ms);
    html_string(html, time_format_local(time_ms).chars);
    html_raw(html, "</time>");
    if (time_ms <= now_ms) {
        html_raw(html, " <span class=\"faint\">(");
        add_age(html, time_ms, now_ms);
        html_raw(html, ")</span>");
    }
}

void part_state(struct html *html, enum letter_state state)
{
    html_raw(html, "<span");
    html_attribute(html, "class",
                   text_format(html->arena, "badge state-%s", letter_state_name(state)));
    html_raw(html, ">");
    html_string(html, letter_state_name(state));
    html_raw(html, "</span>");
}

void part_reason(struct html *html, struct text reason)
{
    html_raw(html, "<a class=\"reason\" href=\"/help#");
    html_url(html, text_cut(reason, PART_TEXT_BYTES_MAX));
    html_raw(html, "\"><code>");
    part_text(html, reason, PART_TEXT_BYTES_MAX);
    html_raw(html, "</code></a>");
}

void part_letter(struct html *html, struct text id)
{
    html_raw(html, "<a class=\"id\" href=\"/letter/");
    html_url(html, id);
    html_raw(html, "\"><code>");
    html_text(html, text_cut(id, PART_ID_DIGITS));
    html_raw(html, "</code></a>");
}

void part_count(struct html *html, int64_t count, const char *word)
{
    html_integer(html, count);
    html_format(html, " %s%s", word, count == 1 ? "" : "s");
}

/* --- forms ---------------------------------------------------------------------------------- */

void part_form_begin(struct html *html, const struct site *site, const char *path)
{
    html_raw(html, "<form method=\"post\"");
    html_attribute(html, "action", text_of(path));
    html_raw(html, ">");
    part_hidden(html, "csrf", text_of(site->guard.csrf));
}

void part_form_end(struct html *html)
{
    html_raw(html, "</form>");
}

void part_hidden(struct html *html, const char *name, struct text value)
{
    html_raw(html, "<input type=\"hidden\"");
    html_attribute(html, "name", text_of(name));
    html_attribute(html, "value", value);
    html_raw(html, ">");
}

void part_ids(struct html *html, const char *name, const struct text *ids, size_t count)
{
    html_raw(html, "<input type=\"hidden\"");
    html_attribute(html, "name", text_of(name));
    html_raw(html, " value=\"");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            html_raw(html, ",");
        html_text(html, ids[i]);
    }
    html_raw(html, "\">");
}

void part_checkbox(struct html *html, const char *name, const char *label, bool checked)
{
    html_raw(html, "<label class=\"check\"><input type=\"checkbox\" value=\"1\"");
    html_attribute(html, "name", text_of(name));
    if (checked)
        html_raw(html, " checked");
    html_raw(html, "> ");
    html_string(html, label);
    html_raw(html, "</label>");
}

void part_input(struct html *html, const char *name, const char *label, struct text value)
{
    html_raw(html, "<label class=\"field\"><span>");
    html_string(html, label);
    html_raw(html, "</span><input type=\"text\" autocomplete=\"off\" spellcheck=\"false\"");
    html_attribute(html, "name", text_of(name));
    html_attribute(html, "value", value);
    html_raw(html, "></label>");
}

static void add_option(struct html *html, const char *name, const char *label, bool set,
                       bool hidden)
{
    if (!hidden)
        part_checkbox(html, name, label, set);
    else if (set)
        part_hidden(html, name, text_of("1"));
}

void part_kept(struct html *html, const struct replay_options *options, bool hidden)
{
    add_option(html, "keep_deadline", "keep the deadline", options->keep_deadline, hidden);
    add_option(html, "keep_expiration", "keep the expiration", options->keep_expiration, hidden);
    add_option(html, "keep_reply_to", "send the reply to the original reply queue",
               options->keep_reply_to, hidden);
}

void part_options(struct html *html, const struct replay_options *options, bool hidden)
{
    part_kept(html, options, hidden);
    add_option(html, "new_key", "give a new key where the key has expired or is missing",
               options->new_key, hidden);
}

struct replay_options part_read_options(const struct form *form)
{
    return (struct replay_options){
        .keep_deadline = form_given(form, "keep_deadline"),
        .keep_expiration = form_given(form, "keep_expiration"),
        .keep_reply_to = form_given(form, "keep_reply_to"),
        .new_key = form_given(form, "new_key"),
    };
}

/* --- properties ----------------------------------------------------------------------------- */

void part_property_begin(struct html *html, const char *label)
{
    html_raw(html, "<dt>");
    html_string(html, label);
    html_raw(html, "</dt><dd>");
}

void part_property_end(struct html *html)
{
    html_raw(html, "</dd>");
}

void part_property(struct html *html, const char *label, struct text value)
{
    if (!text_present(value))
        return;
    part_property_begin(html, label);
    part_text(html, value, PART_TEXT_BYTES_MAX);
    part_property_end(html);
}
