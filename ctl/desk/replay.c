/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A run goes through its letters in blocks. Of each block, the letters become SENDING in
 * the database, then their commands are published, then they become SENT:
 *
 *   SELECTED --(marked)--> SENDING --(published, confirmed)--> SENT --(answer found)--> closed, or
 *                                                                                       open again
 *
 * If the process dies in between, the letters that are SENDING may have been sent or not. The
 * next call for the run sends them again: the key is the same, so a command that took effect does
 * not take effect a second time. A letter that became open again meanwhile was sent and has failed,
 * so it is not sent again.
 *
 * The marks come first, because a worker may dead-letter the command again before a later mark:
 * then the mark would hide the failure. The new keys are written before that.
 *
 * What became of the commands that were sent is asked a few times a second (settle.h), also while
 * others are sent.
 */
#include "ctl/desk/replay.h"

#include <stdlib.h>
#include <time.h>

#include "common/base/array.h"
#include "common/host/random.h"
#include "common/host/system_clock.h"
#include "common/mongo/letters_desk.h"
#include "common/mongo/letters_read.h"
#include "ctl/desk/sender.h"
#include "ctl/desk/settle.h"

enum {
    SELECT_MAX = 1000,
    BLOCK_MAX = 32,
    BLOCKS_PER_S = 4,
    ASK_MS = 250,
    ASK_MAX = 1000, /* letters that are asked for at once */
    RUN_DIGITS = 13 /* of a UUID: enough to tell runs apart, and short enough to type */
};

/* --- the selection -------------------------------------------------------------------------- */

bool replay_select(const struct desk *desk, const struct text *ids, size_t count,
                   struct arena *arena, struct text *ret_run, struct error *error)
{
    struct uuid_text name = uuid_format(random_uuid());
    *ret_run = text_copy(arena, text_view(name.chars, RUN_DIGITS));
    for (size_t i = 0; i < count; i += SELECT_MAX) {
        size_t changed = 0, block = count - i < SELECT_MAX ? count - i : SELECT_MAX;
        struct letter_replay first = {.run = *ret_run, .by = desk->by, .place = (int64_t)i};
        if (mongo_letters_select(desk->store, &first, ids + i, block, &changed, error) != STORE_OK)
            return false;
    }
    return true;
}

/* --- the letters of the run ----------------------------------------------------------------- */

struct id_list {
    struct text *items;
    size_t count;
    size_t capacity;
};

struct run {
    const struct desk *desk;
    struct client *client;
    struct text name;
    const struct replay_order *order;
    struct arena *arena;     /* has the ids */
    struct id_list unsure;   /* SENDING when the run began */
    struct id_list selected; /* not sent yet */
    struct id_list waiting;  /* sent, without an answer */
    struct text principal;   /* of one of them; absent: there is none */
    struct replay_progress progress;
    int64_t next_ms; /* when the next command may be sent; monotonic */
    int64_t asked_ms;
    int64_t watched_ms;
    struct error *error;
};

static void add_id(struct run *run, struct id_list *list, struct text id)
{
    list->items =
        arena_grown(run->arena, list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count++] = id;
}

static void count_answer(struct run *run, enum letter_state state)
{
    if (state == LETTER_OPEN)
        run->progress.failed++;
    else
        run->progress.succeeded++;
}

static void count_sent(struct run *run, const struct letter_record *record, struct text id)
{
    run->progress.sent++;
    if (record->state == LETTER_REPLAYED)
        add_id(run, &run->waiting, id);
    else
        count_answer(run, record->state);
}

/* Puts a letter of the run where it belongs. One that is open again while it is SENDING was sent,
   and has failed. */
static bool sort_letter(void *context, const struct letter_record *record, struct arena *arena)
{
    struct run *run = context;
    struct text id = text_copy(run->arena, record->letter.id);
    (void)arena;
    run->progress.total++;
    if (!text_present(run->principal))
        run->principal = text_copy(run->arena, record->letter.principal);
    if (record->replay.phase == LETTER_PHASE_SELECTED && record->state == LETTER_OPEN)
        add_id(run, &run->selected, id);
    else if (record->replay.phase == LETTER_PHASE_SELECTED)
        run->progress.skipped++;
    else if (record->replay.phase == LETTER_PHASE_SENDING && record->state == LETTER_REPLAYED)
        add_id(run, &run->unsure, id);
    else
        count_sent(run, record, id);
    return true;
}

static bool read_run(struct run *run)
{
    struct letter_filter filter = {.run = run->name, .limit = INT32_MAX};
    if (mongo_letters_each(run->desk->store, &filter, LETTER_BY_PLACE, false, sort_letter, run,
                           run->error) != STORE_OK)
        return false;
    if (run->progress.total > 0)
        return true;
    error_set(run->error, "no letter belongs to the run %.*s", TEXT_ARGS(run->name));
    return false;
}

/* --- answers -------------------------------------------------------------------------------- */

static bool report(struct run *run)
{
    run->progress.waiting = run->waiting.count;
    run->watched_ms = system_monotonic_ms();
    if (run->order->watch != NULL && !run->order->watch(run->order->context, &run->progress))
        run->progress.stopped = true;
    if (run->order->pace.stop_at_failures > 0 &&
        run->progress.failed >= (size_t)run->order->pace.stop_at_failures)
        run->progress.stopped = true;
    return !run->progress.stopped;
}

/* Reads letters of the run by their ids. */
static bool read_block(struct run *run, const struct id_list *ids, bool whole, struct arena *arena,
                       struct letter_list *ret_list)
{
    struct letter_filter filter = {
        .ids = ids->items, .id_count = ids->count, .run = run->name, .limit = ids->count};
    *ret_list = (struct letter_list){0};
    return ids->count == 0 || mongo_letters_read(run->desk->store, &filter, LETTER_BY_PLACE, whole,
                                                 arena, ret_list, run->error) == STORE_OK;
}

/* Returns up to `max` ids from `first` on; borrowed. */
static struct id_list part_of(const struct id_list *list, size_t first, size_t max)
{
    size_t count = list->count - first < max ? list->count - first : max;
    return (struct id_list){.items = list->items + first, .count = count};
}

/* Keeps those that are still waiting. A letter that is gone, or belongs to another run, counts as
   closed. */
static void keep_waiting(struct run *run, const struct letter_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (records[i].state == LETTER_REPLAYED)
            add_id(run, &run->waiting, text_copy(run->arena, records[i].letter.id));
        else
            count_answer(run, records[i].state);
    }
}

/* Asks what became of the commands that were sent. */
static bool ask(struct run *run)
{
    struct id_list before = run->waiting;
    run->waiting = (struct id_list){0};
    run->asked_ms = system_monotonic_ms();
    for (size_t i = 0; i < before.count; i += ASK_MAX) {
        struct letter_list list;
        struct id_list ids = part_of(&before, i, ASK_MAX);
        struct arena *arena = arena_new(0);
        bool done = read_block(run, &ids, false, arena, &list) &&
                    settle_letters(run->desk, list.records, list.count, arena, run->error);
        if (done) {
            run->progress.succeeded += ids.count - list.count;
            keep_waiting(run, list.records, list.count);
        }
        arena_free(arena);
        if (!done)
            return false;
    }
    return true;
}

/* Asks and reports, each if it is due. Returns false after a failure only. */
static bool look_around(struct run *run)
{
    int64_t now_ms = system_monotonic_ms();
    if (now_ms - run->asked_ms >= ASK_MS && !ask(run))
        return false;
    if (now_ms - run->watched_ms >= ASK_MS)
        (void)report(run);
    return true;
}

/* --- sending -------------------------------------------------------------------------------- */

static void wait_ms(int64_t time_ms)
{
    struct timespec pause = {.tv_sec = time_ms / 1000, .tv_nsec = time_ms % 1000 * 1000000};
    if (time_ms > 0)
        (void)nanosleep(&pause, NULL);
}

/* Waits until the next command may be sent. */
static bool keep_pace(struct run *run)
{
    int64_t now_ms = system_monotonic_ms();
    while (now_ms < run->next_ms) {
        int64_t rest_ms = run->next_ms - now_ms;
        wait_ms(rest_ms < ASK_MS ? rest_ms : ASK_MS);
        if (!look_around(run))
            return false;
        now_ms = system_monotonic_ms();
    }
    return true;
}

static bool send_one(struct run *run, const struct letter_record *record, struct arena *arena)
{
    const struct settings *settings = run->desk->settings;
    struct text key = text_present(record->new_key) ? record->new_key : record->letter.key;
    struct outgoing message = replay_message(record, &run->order->options, key, settings, arena);
    if (!keep_pace(run) || !sender_publish(run->client, &message, run->error))
        return false;
    run->next_ms = system_monotonic_ms() + 1000 / run->order->pace.rate;
    return true;
}

static int compare_places(const void *a, const void *b)
{
    const struct letter_record *x = a, *y = b;
    return (x->replay.place > y->replay.place) - (x->replay.place < y->replay.place);
}

/* Sends the letters of these ids that are SENDING, and notes that they are sent. */
static bool send_marked(struct run *run, const struct id_list *ids)
{
    struct arena *arena = arena_new(0);
    struct letter_list list;
    bool done = read_block(run, ids, true, arena, &list);
    struct text *sent = ARENA_ARRAY(arena, struct text, list.count);
    size_t sent_count = 0;
    array_sort(list.records, list.count, sizeof *list.records, compare_places);
    for (size_t i = 0; done && i < list.count; i++) {
        const struct letter_record *record = &list.records[i];
        if (record->replay.phase != LETTER_PHASE_SENDING || record->state != LETTER_REPLAYED)
            continue;
        done = send_one(run, record, arena);
        if (done)
            sent[sent_count++] = record->letter.id;
    }
    /* Also after a failure: so fewer are sent again. */
    bool noted = mongo_letters_end_send(run->desk->store, run->name, sent, sent_count,
                                        done ? run->error : NULL) == STORE_OK;
    for (size_t i = 0; i < sent_count; i++)
        add_id(run, &run->waiting, text_copy(run->arena, sent[i]));
    run->progress.sent += sent_count;
    arena_free(arena);
    return done && noted;
}

/* Gives the letter a new key, if it needs one and may have one. `ret_key` is what it then has. */
static bool renew_key(struct run *run, const struct letter_record *record, struct text *ret_key)
{
    struct text old = record->new_key;
    bool changed = false;
    struct uuid_text fresh = uuid_format(random_uuid());
    *ret_key = text_copy(run->arena, text_of(fresh.chars));
    return mongo_letter_set_key(run->desk->store, record->letter.id, old, *ret_key, &changed,
                                run->error) == STORE_OK;
}

/* Marks one letter with a key that is not its own, or several with their own keys. */
static bool mark(struct run *run, const struct text *ids, size_t count, struct text key)
{
    size_t changed = 0;
    struct letter_note note = {
        .action = LETTER_ACTION_REPLAYED,
        .by = run->desk->by,
        .note = text_format(run->arena, "run %.*s", TEXT_ARGS(run->name)),
        .key = key,
    };
    return mongo_letters_begin_send(run->desk->store, run->name, ids, count, &note, &changed,
                                    run->error) == STORE_OK;
}

/* Marks the letters of a block that can be replayed as SENDING. */
static bool mark_block(struct run *run, const struct letter_list *list, int64_t now_ms,
                       struct arena *arena)
{
    struct text *own = ARENA_ARRAY(arena, struct text, list->count);
    size_t own_count = 0;
    bool done = true;
    for (size_t i = 0; done && i < list->count; i++) {
        const struct letter_record *record = &list->records[i];
        struct text key = replay_key(record, run->desk->settings, now_ms);
        if (replay_obstacle(record, &run->order->options, run->desk->settings, now_ms) !=
            REPLAY_OBSTACLE_NONE) {
            run->progress.skipped++;
            continue;
        }
        if (text_present(key) && text_equal(key, record->letter.key) &&
            !text_present(record->new_key)) {
            own[own_count++] = record->letter.id;
            continue;
        }
        if (!text_present(key))
            done = renew_key(run, record, &key);
        done = done && mark(run, &record->letter.id, 1, key);
    }
    return done && mark(run, own, own_count, TEXT_NONE);
}

static bool send_block(struct run *run, const struct id_list *ids)
{
    struct arena *arena = arena_new(0);
    struct letter_list list;
    int64_t now_ms = 0;
    bool done = mongo_read_clock(run->desk->store, &now_ms, run->error) == STORE_OK &&
                read_block(run, ids, true, arena, &list) && mark_block(run, &list, now_ms, arena);
    run->progress.skipped += done ? ids->count - list.count : 0;
    arena_free(arena);
    return done && send_marked(run, ids);
}

static size_t block_size(const struct run *run)
{
    int64_t size = run->order->pace.rate / BLOCKS_PER_S;
    return size < 1 ? 1 : size > BLOCK_MAX ? BLOCK_MAX : (size_t)size;
}

static bool send_list(struct run *run, const struct id_list *list,
                      bool (*send)(struct run *, const struct id_list *))
{
    size_t block = block_size(run);
    for (size_t i = 0; i < list->count && !run->progress.stopped; i += block) {
        struct id_list ids = part_of(list, i, block);
        if (!send(run, &ids) || !look_around(run))
            return false;
    }
    return true;
}

/* Waits for the answers to what was sent, also after the run was stopped by failures. */
static bool await_answers(struct run *run)
{
    int64_t until_ms = system_monotonic_ms() + run->order->pace.timeout_ms;
    bool stopped = run->progress.stopped, done = ask(run);
    while (done && run->waiting.count > 0 && system_monotonic_ms() < until_ms) {
        if (!report(run) && !stopped && run->order->pace.stop_at_failures == 0)
            break;
        wait_ms(ASK_MS);
        done = ask(run);
    }
    (void)report(run);
    return done;
}

bool replay_run(const struct desk *desk, struct client *client, struct text name,
                const struct replay_order *order, struct replay_progress *ret_progress,
                struct error *error)
{
    struct run run = {.desk = desk,
                      .client = client,
                      .name = name,
                      .order = order,
                      .arena = arena_new(0),
                      .error = error};
    bool done = read_run(&run) &&
                (!desk->settings->security_trust_user_id ||
                 sender_check(desk, client, run.principal, error)) &&
                send_list(&run, &run.unsure, send_marked) &&
                send_list(&run, &run.selected, send_block) && await_answers(&run);
    run.progress.waiting = run.waiting.count;
    *ret_progress = run.progress;
    arena_free(run.arena);
    return done;
}
