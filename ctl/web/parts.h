/* SPDX-License-Identifier: Apache-2.0 */
/* The parts that pages are made of. All texts are escaped. */
#ifndef ALLOT_CTL_WEB_PARTS_H
#define ALLOT_CTL_WEB_PARTS_H

#include "allot/letter.h"
#include "ctl/desk/replay_message.h"
#include "ctl/web/page.h"

enum { PART_TEXT_BYTES_MAX = 600, PART_ID_DIGITS = 12 };

/* Writes at most `most` bytes of a text, and how many are left out. An absent text is a dash. */
void part_text(struct html *html, struct text text, size_t most);
/* Writes how long ago a time was, with the time itself for those who point at it. */
void part_age(struct html *html, int64_t time_ms, int64_t now_ms);
/* Writes a time and how long ago it was. */
void part_time(struct html *html, int64_t time_ms, int64_t now_ms);
void part_state(struct html *html, enum letter_state state);
/* Writes a reason, which leads to its explanation. */
void part_reason(struct html *html, struct text reason);
/* Writes the first digits of a letter's id, which lead to it. */
void part_letter(struct html *html, struct text id);
/* Writes "1 letter" or "2 letters": the word gets an s unless the number is 1. */
void part_count(struct html *html, int64_t count, const char *word);

/* --- forms --- */

/* Begins a form that is sent to a path, which is a literal or made of one; with the CSRF token. */
void part_form_begin(struct html *html, const struct site *site, const char *path);
void part_form_end(struct html *html);
void part_hidden(struct html *html, const char *name, struct text value);
/* Writes a hidden field with ids, separated by commas. */
void part_ids(struct html *html, const char *name, const struct text *ids, size_t count);
void part_checkbox(struct html *html, const char *name, const char *label, bool checked);
void part_input(struct html *html, const char *name, const char *label, struct text value);
/* Writes what a replay keeps of a message, as fields that people see, or as hidden ones. */
void part_kept(struct html *html, const struct replay_options *options, bool hidden);
/* Writes all options of a replay. */
void part_options(struct html *html, const struct replay_options *options, bool hidden);
/* Reads the options of a replay from a form. */
struct replay_options part_read_options(const struct form *form);

/* Writes a row of a list of properties; `label` is for people. Nothing for an absent text. */
void part_property(struct html *html, const char *label, struct text value);
void part_property_begin(struct html *html, const char *label);
void part_property_end(struct html *html);

#endif
