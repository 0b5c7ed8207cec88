/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/letter/listing.h"

#include "common/codec/letter_build.h"
#include "common/codec/text_cut.h"
#include "ctl/terminal.h"

enum { DETAIL_BYTES_MAX = 80 };

bool letter_listing_add(void *context, const struct letter_record *record, struct arena *arena)
{
    struct letter_listing *listing = context;
    (void)arena;
    listing->records = arena_grown(listing->arena, listing->records, listing->count,
                                   &listing->capacity, sizeof *listing->records);
    listing->records[listing->count++] = letter_record_copy(listing->arena, record);
    return listing->count < listing->limit;
}

struct text letter_listing_detail(struct text detail, struct arena *arena)
{
    struct text cut = text_cut(detail, DETAIL_BYTES_MAX);
    if (terminal_is_open() || cut.length == detail.length)
        return detail;
    return text_format(arena, "%.*s...", TEXT_ARGS(cut));
}
