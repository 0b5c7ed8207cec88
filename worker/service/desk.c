/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A message that the broker has dead-lettered has the header x-death, whatever else its
 * producer wrote; one that a worker publishes never has it (outgoing_headers_original). So with an
 * x-death no header x-allot-... is believed. Without one, somebody who may write to the dead-letter
 * exchange has published the message: usually a worker that stored a letter, or one that did not
 * (the database refused it, the principal was full, or its version had no letters). Then its
 * headers say what they say in every dead letter.
 */
#include "worker/service/desk.h"

#include <time.h>

#include "allot/limits.h"
#include "common/codec/death.h"
#include "common/codec/field_table.h"
#include "common/codec/letter_build.h"
#include "common/codec/text_cut.h"

enum { SHA256_DIGITS = 64, TIME_CHARS = 32 };

struct job *job_of_unreadable(struct text reason)
{
    const struct delivery none = {.source = DELIVERY_DESK};
    struct job *job = job_new(arena_new(0), &none, 0);
    job->undecoded = false;
    job->detached = true;
    job->unreadable = text_copy(job->arena, reason);
    job->counted_bytes = job_bytes(job);
    return job;
}

static struct text header_text(const struct job *job, const char *name)
{
    struct field field;
    bool found = field_table_find(job->delivery.raw_headers, name, &field);
    return found && field.kind == FIELD_TEXT ? field.text : TEXT_NONE;
}

static bool was_dead_lettered_by_broker(const struct job *job)
{
    struct death death;
    return death_read(job->delivery.raw_headers, &death);
}

/* --- the letter ----------------------------------------------------------------------------- */

static struct text or_unknown(struct text text)
{
    return text_present(text) && text.length > 0 ? text : text_of("unknown");
}

static struct text time_text(struct arena *arena, int64_t at_s)
{
    char chars[TIME_CHARS] = "";
    time_t at = (time_t)at_s;
    struct tm parts;
    if (gmtime_r(&at, &parts) != NULL)
        (void)strftime(chars, sizeof chars, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text_copy(arena, text_of(chars));
}

static struct text death_detail(struct arena *arena, const struct death *death)
{
    struct text detail = text_format(
        arena,
        "the broker dead-lettered it from queue '%.*s' (%.*s, count %lld, %.*s); it was published "
        "to exchange '%.*s' with routing key '%.*s'",
        TEXT_ARGS(or_unknown(death->queue)), TEXT_ARGS(or_unknown(death->reason)),
        (long long)death->count, TEXT_ARGS(time_text(arena, death->at_s)),
        TEXT_ARGS(or_unknown(death->exchange)), TEXT_ARGS(or_unknown(death->routing_key)));
    return text_cut(detail, DEAD_DETAIL_BYTES_MAX);
}

static struct letter_cause cause_of_death(const struct job *job, const struct death *death,
                                          const struct letter_origin *origin)
{
    return (struct letter_cause){.source = LETTER_SOURCE_BROKER,
                                 .reason =
                                     text_cut(or_unknown(death->reason), DEAD_DETAIL_BYTES_MAX),
                                 .detail = death_detail(job->arena, death),
                                 .queue = text_present(death->queue) ? death->queue : origin->queue,
                                 .worker = origin->worker,
                                 .at_ms = origin->at_ms};
}

/* The cause of a message that somebody published to the dead-letter exchange. */
static struct letter_cause cause_of_headers(const struct job *job,
                                            const struct letter_origin *origin)
{
    struct text reason = header_text(job, "x-allot-reason");
    struct text detail = header_text(job, "x-allot-detail");
    struct text queue = header_text(job, "x-allot-queue");
    struct letter_cause cause = {.source = LETTER_SOURCE_BROKER,
                                 .reason = or_unknown(TEXT_NONE),
                                 .detail = text_of("somebody published it to the dead-letter "
                                                   "exchange without x-death and x-allot-reason"),
                                 .queue = text_present(queue) ? queue : origin->queue,
                                 .worker = origin->worker,
                                 .at_ms = origin->at_ms};
    if (!text_present(reason))
        return cause;
    cause.source = LETTER_SOURCE_WORKER;
    cause.reason = text_cut(reason, DEAD_DETAIL_BYTES_MAX);
    cause.detail = text_present(detail) ? text_cut(detail, DEAD_DETAIL_BYTES_MAX) : TEXT_NONE;
    return cause;
}

/* A worker publishes only the beginning of a large body; two headers say what it was. */
static void read_cut_body(const struct job *job, struct delivery *delivery)
{
    struct text sha256 = header_text(job, "x-allot-body-sha256");
    struct field size;
    if (delivery->cut_size > 0 || !text_present(sha256) || sha256.length != SHA256_DIGITS ||
        !field_table_find(delivery->raw_headers, "x-allot-body-size", &size) ||
        size.integer <= (int64_t)delivery->body.length)
        return;
    delivery->cut_size = (uint64_t)size.integer;
    delivery->body_sha256 = sha256;
}

/* The id must not be that of a message with an empty body, which can be read. */
static struct letter letter_of_unreadable(const struct job *job, const struct letter_origin *origin)
{
    const struct decoded none = {0};
    const struct letter_cause cause = {.source = LETTER_SOURCE_BROKER,
                                       .reason = text_of("unreadable"),
                                       .detail = text_cut(job->unreadable, DEAD_DETAIL_BYTES_MAX),
                                       .queue = origin->queue,
                                       .worker = origin->worker,
                                       .at_ms = origin->at_ms};
    struct letter letter = letter_build(job->arena, &job->delivery, &none, &cause);
    letter.body_sha256 = TEXT_NONE;
    letter.id =
        letter_id(job->arena, origin->queue, TEXT_NONE, TEXT_NONE, text_of("unreadable message"));
    return letter;
}

/* The principal is the one whom the broker has verified, since a redelivered message is not
   decoded, and the id has to be the same. */
static struct letter letter_of_message(const struct job *job, const struct letter_origin *origin)
{
    struct death death;
    struct delivery delivery = job->delivery;
    struct decoded decoded = job->decoded;
    bool by_broker = death_read(delivery.raw_headers, &death);
    decoded.request.principal = TEXT_NONE;
    if (!by_broker) {
        decoded.request.principal = header_text(job, "x-allot-principal");
        read_cut_body(job, &delivery);
    }
    const struct letter_cause cause =
        by_broker ? cause_of_death(job, &death, origin) : cause_of_headers(job, origin);
    return letter_build(job->arena, &delivery, &decoded, &cause);
}

void desk_make_letter(struct job *job, const struct letter_origin *origin)
{
    if (job->letter == NULL)
        job->letter = ARENA_NEW(job->arena, struct letter);
    *job->letter = text_present(job->unreadable) ? letter_of_unreadable(job, origin)
                                                 : letter_of_message(job, origin);
    job->letter->published = true;
}

/* --- is it known? --------------------------------------------------------------------------- */

struct text desk_claimed_id(const struct job *job)
{
    return was_dead_lettered_by_broker(job) ? TEXT_NONE : header_text(job, "x-allot-letter");
}

bool desk_is_known(const struct job *job, const struct letter_sighting *claimed)
{
    return claimed->exists && text_present(claimed->body_sha256) &&
           text_equal(claimed->body_sha256, job->letter->body_sha256);
}

bool desk_was_stored(const struct job *job, const struct letter_sighting *own)
{
    bool repeated = job->repeated || job->delivery.redelivered;
    return repeated && own->exists && text_equal(own->reason, job->letter->reason) &&
           text_equal(own->detail, job->letter->detail);
}
