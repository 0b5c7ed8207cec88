/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/letter_trim.h"

#include "worker/service/events.h"

struct letter_trim letter_trim_make(struct store *store, struct counters *counters,
                                    struct full_principals *full, int64_t max_bytes)
{
    return (struct letter_trim){.store = store,
                                .counters = counters,
                                .full = full,
                                .max_bytes = max_bytes,
                                .arena = arena_new(0)};
}

void letter_trim_clear(struct letter_trim *trim)
{
    arena_free(trim->arena);
    trim->arena = NULL;
}

static void log_trimmed(const struct letter_trim *trim)
{
    event_log(EVENT_LETTERS_TRIMMED,
              LOG_FIELDS(LOG_I("letters", (int64_t)trim->letters),
                         LOG_I("bodies", (int64_t)trim->bodies), LOG_I("bytes", trim->bytes),
                         LOG_I("max_bytes", trim->max_bytes)),
              "letters held more than letters.max_bytes; deleted old ones that were published");
}

static void end_round(struct letter_trim *trim)
{
    if (trim->letters > 0 || trim->bodies > 0)
        log_trimmed(trim);
    trim->cut = (struct letter_cut){.kind = LETTER_CUT_NONE};
    trim->letters = trim->bodies = 0;
    trim->bytes = 0;
}

static void log_failed(const struct error *error)
{
    event_log(EVENT_LETTERS_TRIM_FAILED, LOG_FIELDS(LOG_S("error", error->text)),
              "cannot measure letters or delete old ones; trying again later");
}

/* Says whose letters are too much although nothing more may be deleted. */
static void log_over(const struct letter_trim *trim, const struct letter_measure *measure)
{
    const struct letter_share *largest = NULL;
    int64_t bytes = letter_shares_bytes(measure->shares, measure->count);
    for (size_t i = 0; i < measure->count; i++) {
        if (largest == NULL || measure->shares[i].bytes > largest->bytes)
            largest = &measure->shares[i];
    }
    if (largest == NULL ||
        (bytes <= trim->max_bytes && largest->bytes <= trim->max_bytes / LETTER_SHARES))
        return;
    event_log(
        EVENT_LETTERS_OVER_BOUND,
        LOG_FIELDS(LOG_I("bytes", bytes), LOG_I("max_bytes", trim->max_bytes),
                   LOG_T("principal", largest->principal),
                   LOG_I("principal_bytes", largest->bytes)),
        "letters that cannot be deleted hold more than letters.max_bytes allows; dead letters "
        "of a principal that fills its quarter are published without a stored letter");
}

/* Plans the next cut. Returns whether the round is over: nothing is to be done. */
static bool measure(struct letter_trim *trim)
{
    struct letter_measure measured = {.count = 0};
    struct error error = {""};
    arena_reset(trim->arena);
    enum store_status status = trim->store->ops->measure_letters(trim->store, trim->max_bytes,
                                                                 trim->arena, &measured, &error);
    if (status != STORE_OK) {
        log_failed(&error);
    } else {
        full_principals_set(trim->full, measured.shares, measured.count, trim->max_bytes);
        if (measured.cut.kind == LETTER_CUT_NONE)
            log_over(trim, &measured);
    }
    trim->cut = measured.cut;
    return trim->cut.kind == LETTER_CUT_NONE;
}

static void add(struct letter_trim *trim, const struct letter_trimmed *trimmed)
{
    bool bodies = trim->cut.kind == LETTER_CUT_BODIES;
    *(bodies ? &trim->bodies : &trim->letters) += trimmed->letters;
    trim->bytes += trimmed->bytes;
    trim->cut.bytes -= trimmed->bytes;
    counter_add(trim->counters, bodies ? COUNTER_LETTER_BODIES_DELETED : COUNTER_LETTERS_DELETED,
                trimmed->letters);
}

/* Makes a batch of the cut. Returns whether the round is over: it failed, or there was nothing to
   do, since another worker did it. */
static bool cut(struct letter_trim *trim)
{
    struct letter_trimmed trimmed = {.letters = 0};
    struct error error = {""};
    enum store_status status =
        trim->store->ops->trim_letters(trim->store, &trim->cut, &trimmed, &error);
    if (status != STORE_OK) {
        log_failed(&error);
        return true;
    }
    add(trim, &trimmed);
    if (trimmed.done)
        trim->cut.kind = LETTER_CUT_NONE;
    return trimmed.done && trimmed.letters == 0;
}

bool letter_trim_step(struct letter_trim *trim)
{
    bool over = trim->cut.kind == LETTER_CUT_NONE ? measure(trim) : cut(trim);
    if (over)
        end_round(trim);
    return over;
}
