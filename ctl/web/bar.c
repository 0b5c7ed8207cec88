/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/bar.h"

#include <inttypes.h>
#include <stdio.h>

#include "allot/limits.h"
#include "common/codec/ratio.h"
#include "common/core/inventory.h"

enum { THOUSANDTHS = 1000 };

static int64_t bounded(__int128 amount)
{
    return amount > INT64_MAX ? INT64_MAX : (int64_t)amount;
}

struct bar bar_of(const struct inventory_record *record)
{
    const struct inventory *inventory = &record->inventory;
    int64_t capacity = inventory_capacity(inventory);
    return (struct bar){
        .resource_class = inventory->resource_class,
        .used = record->used,
        .reserved = bounded((__int128)inventory->reserved * inventory->ratio / RATIO_ONE),
        .free = capacity > record->used ? capacity - record->used : 0,
        .over = record->used > capacity ? record->used - capacity : 0,
    };
}

void bar_add(struct bar *bar, const struct bar *other)
{
    bar->used = bounded((__int128)bar->used + other->used);
    bar->reserved = bounded((__int128)bar->reserved + other->reserved);
    bar->free = bounded((__int128)bar->free + other->free);
    bar->over = bounded((__int128)bar->over + other->over);
}

/* Returns the part in thousandths; something is never nothing. */
static int part_of(int64_t amount, __int128 whole)
{
    __int128 part = whole > 0 ? (__int128)amount * THOUSANDTHS / whole : 0;
    return part == 0 && amount > 0 && whole > 0 ? 1 : (int)part;
}

static void add_rect(struct html *html, const char *class, int from, int width)
{
    if (width == 0)
        return;
    html_raw(html, "<rect");
    html_attribute(html, "class", text_of(class));
    html_raw(html, " x=\"");
    html_integer(html, from);
    html_raw(html, "\" width=\"");
    html_integer(html, width);
    html_raw(html, "\" height=\"10\"/>");
}

/* The picture says nothing that the words beside it do not say. */
static void add_picture(struct html *html, const struct bar *bar)
{
    __int128 whole = (__int128)bar->used + bar->reserved + bar->free;
    int within = part_of(bar->used - bar->over, whole), over = part_of(bar->over, whole);
    int reserved = part_of(bar->reserved, whole);
    html_raw(html, "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" "
                   "aria-hidden=\"true\"><rect class=\"bar-free\" width=\"1000\" height=\"10\"/>");
    add_rect(html, "bar-used", 0, within);
    add_rect(html, "bar-over", within, over);
    add_rect(html, "bar-reserved", THOUSANDTHS - reserved, reserved);
    html_raw(html, "</svg>");
}

static void add_share(struct html *html, const struct bar *bar)
{
    __int128 capacity = (__int128)bar->used - bar->over + bar->free;
    if (capacity > 0)
        html_format(html, "%d%%", (int)((__int128)bar->used * 100 / capacity));
    else
        html_string(html, bar->used > 0 ? "full" : "none");
}

void bar_write(struct html *html, const struct bar *bar, const struct inventory_record *record)
{
    html_raw(html, "<div class=\"class\"><span class=\"class-name\">");
    html_text(html, bar->resource_class);
    html_raw(html, "</span>");
    add_picture(html, bar);
    html_raw(html, "<span class=\"class-share\">");
    add_share(html, bar);
    html_raw(html, "</span><span class=\"class-words\">");
    html_format(html, "%" PRId64 " used, %" PRId64 " reserved, %" PRId64 " free", bar->used,
                bar->reserved, bar->free);
    if (record != NULL)
        html_format(html, " (total %" PRId64 ", ratio %s)", record->inventory.total,
                    ratio_format(record->inventory.ratio).chars);
    if (bar->over > 0) {
        html_raw(html, " <strong class=\"bad\">over-committed by ");
        html_integer(html, bar->over);
        html_raw(html, "</strong>");
    }
    html_raw(html, "</span></div>");
}
