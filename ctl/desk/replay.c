/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A run goes through its letters in blocks. Of each block, the letters become SENDING in
 * the database, then their commands are published, then they become SENT:
 *
 *   SELECTED --(marked)--> SENDING --(published, confirmed)--> SENT --(answer found)--> closed, or
 *                                                                                       open again
 *
 * If the process dies in between, the letters that are SENDING may have been sent or not. The
 * next call for the run sends them again, but for those that have an answer: the key is the same,
 * so a command that took effect does not take effect a second time. After the key has expired that
 * is not so; then the letter is skipped, and a person has to find out. A letter that became open
 * again meanwhile was sent and has failed, so it is not sent again.
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
    BLOCK_MAX = 64,
    BLOCKS_PER_S = 4,
    US_PER_MS = 1000,
    US_PER_S = 1000 * 1000,
    NS_PER_US = 1000,
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
    struct arena *arena; /* has the ids */
    struct text *items;
    size_t count;
    size_t capacity;
};

struct run {
    const struct desk *desk;
    struct client *client;
    struct text name;
    const struct replay_order *order;
    struct arena *arena;
    struct id_list unsure;   /* SENDING when the run began */
    struct id_list selected; /* not sent yet */
    struct id_list waiting;  /* sent, without an answer; owns its arena */
    struct text principal;   /* of one of them, if possible another one than the client's user */
    bool left;               /* by the callback: do not even wait for answers */
    struct replay_progress progress;
    int64_t next_us; /* when the next command may be sent; monotonic */
    int64_t asked_ms;
    int64_t watched_ms;
    struct error *error;
};

static void add_id(struct id_list *list, struct text id)
{
    list->items =
        arena_grown(list->arena, list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count++] = text_copy(list->arena, id);
}

static void count_answer(struct run *run, enum letter_state state)
{
    if (state == LETTER_OPEN)
        run->progress.failed++;
    else
        run->progress.succeeded++;
}

/* Whether nobody has selected the letter for another run since. If somebody has, it was open again,
   so it has failed. */
static bool is_of_run(const struct run *run, const struct letter_record *record)
{
    return text_equal(record->replay.run, run->name);
}

/* Counts the answer of a letter that was sent, or adds it to those that wait for one. */
static void note_sent(struct run *run, const struct letter_record *record, struct id_list *waiting)
{
    if (!is_of_run(run, record))
        count_answer(run, LETTER_OPEN);
    else if (record->state == LETTER_REPLAYED)
        add_id(waiting, record->letter.id);
    else
        count_answer(run, record->state);
}

/* Whether the client's user may publish as himself says nothing about others. */
static void note_principal(struct run *run, struct text principal)
{
    if (!text_present(run->principal) || text_equal(run->principal, client_user(run->client)))
        run->principal = text_copy(run->arena, principal);
}

/* Puts a letter of the run where it belongs. One that is open again while it is SENDING was sent,
   and has failed. */
static bool sort_letter(void *context, const struct letter_record *record, struct arena *arena)
{
    struct run *run = context;
    struct text id = record->letter.id;
    (void)arena;
    run->progress.total++;
    note_principal(run, record->letter.principal);
    if (record->replay.phase == LETTER_PHASE_SELECTED && record->state == LETTER_OPEN) {
        add_id(&run->selected, id);
    } else if (record->replay.phase == LETTER_PHASE_SELECTED) {
        run->progress.skipped++;
    } else if (record->replay.phase == LETTER_PHASE_SENDING && record->state == LETTER_REPLAYED) {
        add_id(&run->unsure, id);
    } else {
        run->progress.sent++;
        note_sent(run, record, &run->waiting);
    }
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
    error_set(run->error,
              "no letter belongs to the run %.*s: they were closed or selected again meanwhile, or "
              "there is no such run",
              TEXT_ARGS(run->name));
    return false;
}

/* --- answers -------------------------------------------------------------------------------- */

static bool report(struct run *run)
{
    run->progress.waiting = run->waiting.count;
    run->watched_ms = system_monotonic_ms();
    run->left =
        run->order->watch != NULL && !run->order->watch(run->order->context, &run->progress);
    if (run->left)
        run->progress.stopped = true;
    if (run->order->pace.stop_at_failures > 0 &&
        run->progress.failed >= (size_t)run->order->pace.stop_at_failures)
        run->progress.stopped = true;
    return !run->progress.stopped;
}

/* Reads letters by their ids. */
static bool read_block(struct run *run, const struct id_list *ids, bool whole, struct arena *arena,
                       struct letter_list *ret_list)
{
    struct letter_filter filter = {.ids = ids->items, .id_count = ids->count, .limit = ids->count};
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

/* Asks what became of up to ASK_MAX commands that were sent. A letter that is gone can have no
   answer any more. It counts as failed, since nobody knows better. */
static bool ask_block(struct run *run, const struct id_list *ids, struct id_list *waiting)
{
    struct letter_list list;
    struct arena *arena = arena_new(0);
    bool done = read_block(run, ids, false, arena, &list) &&
                settle_letters(run->desk, list.records, list.count, arena, run->error);
    for (size_t i = 0; done && i < list.count; i++)
        note_sent(run, &list.records[i], waiting);
    run->progress.failed += done ? ids->count - list.count : 0;
    arena_free(arena);
    return done;
}

/* Asks what became of the commands that were sent. */
static bool ask(struct run *run)
{
    struct id_list before = run->waiting;
    bool done = true;
    run->waiting = (struct id_list){.arena = arena_new(0)};
    for (size_t i = 0; done && i < before.count; i += ASK_MAX) {
        struct id_list ids = part_of(&before, i, ASK_MAX);
        done = ask_block(run, &ids, &run->waiting);
    }
    arena_free(before.arena);
    run->asked_ms = system_monotonic_ms();
    return done;
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

static int64_t now_us(void)
{
    return system_monotonic_ms() * US_PER_MS;
}

static void wait_us(int64_t time_us)
{
    struct timespec pause = {.tv_sec = time_us / US_PER_S,
                             .tv_nsec = time_us % US_PER_S * NS_PER_US};
    if (time_us > 0)
        (void)nanosleep(&pause, NULL);
}

/* Waits until the next command may be sent. Pauses that were too long are not made up for. */
static bool keep_pace(struct run *run)
{
    for (int64_t now = now_us(); now < run->next_us; now = now_us()) {
        int64_t rest = run->next_us - now;
        wait_us(rest < ASK_MS * US_PER_MS ? rest : ASK_MS * US_PER_MS);
        if (!look_around(run))
            return false;
    }
    int64_t now = now_us();
    run->next_us =
        (now - run->next_us > US_PER_MS ? now : run->next_us) + US_PER_S / run->order->pace.rate;
    return true;
}

static bool send_one(struct run *run, const struct letter_record *record, struct arena *arena)
{
    const struct settings *settings = run->desk->settings;
    struct text key = text_present(record->new_key) ? record->new_key : record->letter.key;
    struct outgoing message = replay_message(record, &run->order->options, key, settings, arena);
    return keep_pace(run) && sender_send(run->client, &message, run->error);
}

static int compare_places(const void *a, const void *b)
{
    const struct letter_record *x = a, *y = b;
    return (x->replay.place > y->replay.place) - (x->replay.place < y->replay.place);
}

static bool is_marked(const struct run *run, const struct letter_record *record)
{
    return is_of_run(run, record) && record->replay.phase == LETTER_PHASE_SENDING &&
           record->state == LETTER_REPLAYED;
}

/* Sends the letters of these ids that are SENDING and whose keys have not expired, and notes that
   they are sent, when the broker has confirmed all of them. The others are skipped. */
static bool send_marked(struct run *run, const struct id_list *ids, int64_t now_ms)
{
    struct arena *arena = arena_new(0);
    struct letter_list list;
    bool done = read_block(run, ids, true, arena, &list);
    struct text *sent = ARENA_ARRAY(arena, struct text, list.count);
    size_t sent_count = 0;
    array_sort(list.records, list.count, sizeof *list.records, compare_places);
    for (size_t i = 0; done && i < list.count; i++) {
        const struct letter_record *record = &list.records[i];
        if (!is_marked(run, record) ||
            !text_present(replay_key(record, run->desk->settings, now_ms)))
            continue;
        sent[sent_count++] = record->letter.id;
        done = send_one(run, record, arena);
    }
    done = done && sender_confirm(run->desk, run->client, run->error) &&
           mongo_letters_end_send(run->desk->store, run->name, sent, sent_count, run->error) ==
               STORE_OK;
    for (size_t i = 0; done && i < sent_count; i++)
        add_id(&run->waiting, sent[i]);
    run->progress.sent += done ? sent_count : 0;
    run->progress.skipped += done ? ids->count - sent_count : 0;
    arena_free(arena);
    return done;
}

/* Gives the letter a new key. Sets `ret_key` to it; absent: somebody else has changed the letter.
 */
static bool renew_key(struct run *run, const struct letter_record *record, struct arena *arena,
                      struct text *ret_key)
{
    bool changed = false;
    struct text key = text_copy(arena, text_of(uuid_format(random_uuid()).chars));
    bool done = mongo_letter_set_key(run->desk->store, record->letter.id, record->new_key, key,
                                     &changed, run->error) == STORE_OK;
    *ret_key = changed ? key : TEXT_NONE;
    return done;
}

/* Marks one letter with a key that is not its own, or several with their own keys. */
static bool mark(struct run *run, const struct text *ids, size_t count, struct text key)
{
    size_t changed = 0;
    struct arena *arena = arena_new(0);
    struct letter_note note = {
        .action = LETTER_ACTION_REPLAYED,
        .by = run->desk->by,
        .note = text_format(arena, "run %.*s", TEXT_ARGS(run->name)),
        .key = key,
    };
    bool done = mongo_letters_begin_send(run->desk->store, run->name, ids, count, &note, &changed,
                                         run->error) == STORE_OK;
    arena_free(arena);
    return done;
}

/* Marks one letter that is sent under another key than its own, which it may get here. */
static bool mark_renewed(struct run *run, const struct letter_record *record, struct text key,
                         struct arena *arena)
{
    bool done = text_present(key) || renew_key(run, record, arena, &key);
    return done && (!text_present(key) || mark(run, &record->letter.id, 1, key));
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
        if (!is_of_run(run, record) ||
            replay_obstacle(record, &run->order->options, run->desk->settings, now_ms) !=
                REPLAY_OBSTACLE_NONE)
            continue;
        if (text_present(key) && !text_present(record->new_key))
            own[own_count++] = record->letter.id;
        else
            done = mark_renewed(run, record, key, arena);
    }
    return done && mark(run, own, own_count, TEXT_NONE);
}

/* Sends letters that were selected. */
static bool send_selected(struct run *run, const struct id_list *ids)
{
    struct arena *arena = arena_new(0);
    struct letter_list list;
    int64_t now_ms = 0;
    bool done = mongo_read_clock(run->desk->store, &now_ms, run->error) == STORE_OK &&
                read_block(run, ids, true, arena, &list) && mark_block(run, &list, now_ms, arena);
    arena_free(arena);
    return done && send_marked(run, ids, now_ms);
}

/* Sends letters again of which it is not known whether they were sent, unless they have an answer.
 */
static bool send_unsure(struct run *run, const struct id_list *ids)
{
    struct id_list left = {.arena = arena_new(0)};
    int64_t now_ms = 0;
    bool done = mongo_read_clock(run->desk->store, &now_ms, run->error) == STORE_OK &&
                ask_block(run, ids, &left);
    run->progress.sent += done ? ids->count - left.count : 0;
    done = done && send_marked(run, &left, now_ms);
    arena_free(left.arena);
    return done;
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
    bool done = ask(run);
    while (done && !run->left && run->waiting.count > 0 && system_monotonic_ms() < until_ms) {
        (void)report(run);
        wait_us(ASK_MS * US_PER_MS);
        done = ask(run);
    }
    (void)report(run);
    return done;
}

bool replay_run(const struct desk *desk, struct client *client, struct text name,
                const struct replay_order *order, struct replay_progress *ret_progress,
                struct error *error)
{
    struct arena *arena = arena_new(0);
    struct run run = {.desk = desk,
                      .client = client,
                      .name = name,
                      .order = order,
                      .arena = arena,
                      .unsure = {.arena = arena},
                      .selected = {.arena = arena},
                      .waiting = {.arena = arena_new(0)},
                      .error = error};
    bool done = read_run(&run) &&
                (!desk->settings->security_trust_user_id ||
                 sender_check(desk, client, run.principal, error)) &&
                send_list(&run, &run.unsure, send_unsure) &&
                send_list(&run, &run.selected, send_selected) && await_answers(&run);
    run.progress.waiting = run.waiting.count;
    *ret_progress = run.progress;
    arena_free(run.waiting.arena);
    arena_free(arena);
    return done;
}
