/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Letters that can be replayed are decoded as the worker would decode the message that
 * replays them, until DRY_RUN_SNAPSHOT_MAX are together: a block. A block is planned with the calls
 * of the worker (worker/service/applier.c), in a transaction that writes nothing and is never
 * committed. If that is too much for one snapshot, the first half of the block is planned, and then
 * what is left of it.
 *
 * Guarantees. Nothing is written. The planner changes the snapshot only, so that a letter sees the
 * effects of those before it. A command that the database cannot load even alone gets the verdict
 * that it would get from the worker (REJECTION_LOAD).
 *
 * Sections: letters; the transaction; verdicts; blocks.
 */
#include "ctl/desk/dry_run.h"

#include <time.h>

#include "common/codec/command_decode.h"
#include "common/codec/field_table.h"
#include "common/codec/reply_encode.h"
#include "common/core/plan.h"
#include "ctl/desk/effect.h"

enum {
    MIB = 1024 * 1024,
    /* As in worker/service/lane.c: of a batch, and of a command in a batch of its own. */
    LOAD_BYTES_MAX = 64 * MIB,
    LOAD_BYTES_MAX_ALONE = 128 * MIB,
    TRIES_MAX = 5,
    PAUSE_MS = 100, /* before the second try; then longer each time */
    NS_PER_MS = 1000 * 1000,
    MS_PER_S = 1000
};

const char *dry_kind_name(enum dry_kind kind)
{
    switch (kind) {
#define X(id, name)                                                                                \
    case DRY_##id: return name;
        DRY_KINDS(X)
#undef X
    }
    return "";
}

/* A letter that can be replayed. */
struct dry_item {
    size_t index; /* among the records */
    struct decoded decoded;
};

struct dry_run {
    const struct desk *desk;
    const struct replay_options *options;
    const struct letter_record *records;
    size_t count;
    int64_t now_ms; /* when the run began, by the database's clock */
    size_t snapshot;
    struct arena *arena; /* of the verdicts; borrowed */
    struct dry_verdict *verdicts;
    struct arena *decoding; /* owned; has the block, with its decoded commands */
    struct dry_item *items; /* of the block */
    size_t item_count;
    struct arena *planning; /* owned; has the snapshot */
    struct error *error;
};

/* --- letters -------------------------------------------------------------------------------- */

/* The key of a letter that would get a new one: no command has an outcome under it. */
static struct text key_of(const struct dry_run *run, const struct letter_record *record)
{
    struct text key = replay_key(record, run->desk->settings, run->now_ms);
    if (text_present(key))
        return key;
    return text_format(run->decoding, "dry-run-%.*s", TEXT_ARGS(record->letter.id));
}

/* Returns the message that replays the letter, as a worker would receive it. */
static struct delivery delivery_of(const struct dry_run *run, const struct letter_record *record)
{
    struct outgoing message = replay_message(record, run->options, key_of(run, record),
                                             run->desk->settings, run->decoding);
    struct delivery delivery = {
        .source = DELIVERY_COMMAND,
        .properties = message.properties,
        .raw_headers =
            field_table_merge(run->decoding, TEXT_NONE, message.headers, message.header_count),
        .body = message.body,
    };
    field_table_read_delivery(&delivery);
    return delivery;
}

/* Decodes the command of a letter. The request borrows from the record. */
static void decode(const struct dry_run *run, const struct letter_record *record,
                   struct decoded *ret_decoded)
{
    const struct settings *settings = run->desk->settings;
    const struct decode_context context = {
        .policy = run->desk->policy,
        .trust_user_id = settings->security_trust_user_id,
        .default_principal = settings->security_default_principal,
    };
    struct delivery delivery = delivery_of(run, record);
    command_decode(&context, &delivery, run->decoding, ret_decoded);
}

static struct dry_verdict failure(const struct dry_run *run, const struct verdict *verdict)
{
    return (struct dry_verdict){.kind = DRY_FAILS,
                                .code = text_of(verdict_name(verdict->code)),
                                .text = text_copy(run->arena, verdict->message),
                                .snapshot = run->snapshot};
}

static struct dry_verdict obstacle_verdict(const struct dry_run *run, enum replay_obstacle obstacle)
{
    bool expired = obstacle == REPLAY_OBSTACLE_KEY_EXPIRED;
    return (struct dry_verdict){.kind = expired ? DRY_KEY_EXPIRED : DRY_NOT_REPLAYABLE,
                                .code = TEXT_NONE,
                                .text = text_of(replay_obstacle_text(obstacle)),
                                .snapshot = run->snapshot};
}

/* Adds a letter to the block, or sets its verdict if no state is needed for that. */
static void take_letter(struct dry_run *run, size_t index)
{
    const struct letter_record *record = &run->records[index];
    enum replay_obstacle obstacle =
        replay_obstacle(record, run->options, run->desk->settings, run->now_ms);
    if (obstacle != REPLAY_OBSTACLE_NONE) {
        run->verdicts[index] = obstacle_verdict(run, obstacle);
        return;
    }
    struct dry_item *item = &run->items[run->item_count];
    *item = (struct dry_item){.index = index};
    decode(run, record, &item->decoded);
    if (!item->decoded.accepted)
        run->verdicts[index] = failure(run, &item->decoded.verdict);
    else if (command_mode(item->decoded.request.command.kind) == MODE_READ)
        run->verdicts[index] = obstacle_verdict(run, REPLAY_OBSTACLE_READ);
    else
        run->item_count++;
}

/* Without a policy only what the letters themselves say can be known. */
static void judge_without_policy(struct dry_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        enum replay_obstacle obstacle =
            replay_obstacle(&run->records[i], run->options, run->desk->settings, run->now_ms);
        run->verdicts[i] = obstacle != REPLAY_OBSTACLE_NONE
                               ? obstacle_verdict(run, obstacle)
                               : (struct dry_verdict){.kind = DRY_SUCCEEDS,
                                                      .code = TEXT_NONE,
                                                      .text = text_of("can be sent")};
    }
}

/* --- the transaction ------------------------------------------------------------------------ */

/* Waits, and returns whether the database gets another try, after `tries` in a row have failed. */
static bool try_again(enum store_status status, unsigned tries)
{
    if (status == STORE_MISCONFIGURED || tries >= TRIES_MAX)
        return false;
    int64_t pause_ms = (int64_t)PAUSE_MS * tries;
    const struct timespec pause = {.tv_sec = pause_ms / MS_PER_S,
                                   .tv_nsec = pause_ms % MS_PER_S * NS_PER_MS};
    (void)nanosleep(&pause, NULL);
    return true;
}

/* Reads the database's clock. */
static bool read_clock(struct dry_run *run)
{
    struct store *store = run->desk->store;
    enum store_status status = store->ops->begin(store, run->error);
    for (unsigned tries = 1; status != STORE_OK; tries++) {
        if (!try_again(status, tries))
            return false;
        status = store->ops->begin(store, run->error);
    }
    run->now_ms = store->ops->now_ms(store);
    store->ops->end(store);
    return true;
}

/* Items that are planned together, on a snapshot of their own. */
struct dry_plan {
    struct snapshot *snapshot;
    const struct request **requests;
    struct verdict *verdicts;
    size_t count;
};

static struct dry_plan new_plan(const struct dry_run *run, const struct dry_item *items,
                                size_t count)
{
    arena_reset(run->planning);
    struct dry_plan plan = {
        .snapshot = snapshot_new(run->planning),
        .requests = ARENA_ARRAY(run->planning, const struct request *, count),
        .verdicts = ARENA_ARRAY(run->planning, struct verdict, count),
        .count = count,
    };
    plan.snapshot->bytes_max = count == 1 ? LOAD_BYTES_MAX_ALONE : LOAD_BYTES_MAX;
    for (size_t i = 0; i < count; i++)
        plan.requests[i] = &items[i].decoded.request;
    return plan;
}

static enum store_status load_all(struct store *store, struct dry_plan *plan, struct error *error)
{
    plan_want_first(plan->snapshot, plan->requests, plan->count);
    enum store_status status = store->ops->load(store, plan->snapshot, error);
    if (status == STORE_OK && plan_want_second(plan->snapshot, plan->requests, plan->count))
        status = store->ops->load(store, plan->snapshot, error);
    return status;
}

/* Plans in a transaction that is aborted. */
static enum store_status plan_aborted(const struct dry_run *run, struct dry_plan *plan)
{
    struct store *store = run->desk->store;
    enum store_status status = store->ops->begin(store, run->error);
    if (status != STORE_OK)
        return status;
    const struct plan_context context = {.policy = run->desk->policy,
                                         .now_ms = store->ops->now_ms(store),
                                         .attempts_max =
                                             run->desk->settings->delivery_max_attempts};
    status = load_all(store, plan, run->error);
    if (status == STORE_OK)
        plan_run(&context, plan->snapshot, plan->requests, plan->count, plan->verdicts);
    store->ops->end(store);
    return status;
}

/* --- verdicts ------------------------------------------------------------------------------- */

/* Returns the text of an answer that is given again. */
static struct text answer_text(const struct dry_run *run, const struct dry_plan *plan,
                               const struct verdict *verdict)
{
    if (verdict->code == VERDICT_SUCCESS)
        return text_of("the command has succeeded");
    if (text_present(verdict->replay_body))
        return reply_failure_message(run->arena, verdict->replay_body);
    return text_copy(run->arena, plan->verdicts[verdict->replay_of].message);
}

static struct dry_verdict answer(const struct dry_run *run, const struct dry_plan *plan,
                                 size_t place)
{
    const struct request *request = plan->requests[place];
    const struct verdict *verdict = &plan->verdicts[place];
    return (struct dry_verdict){
        .kind = DRY_ANSWERED,
        .code = text_of(verdict_name(verdict->code)),
        .text = answer_text(run, plan, verdict),
        .recorded_at_ms =
            snapshot_outcome(plan->snapshot, request->principal, request->key)->recorded_at_ms,
        .snapshot = run->snapshot,
    };
}

static struct dry_verdict verdict_of(const struct dry_run *run, const struct dry_plan *plan,
                                     size_t place)
{
    const struct verdict *verdict = &plan->verdicts[place];
    if (verdict->replayed)
        return answer(run, plan, place);
    if (verdict->code != VERDICT_SUCCESS)
        return failure(run, verdict);
    return (struct dry_verdict){
        .kind = DRY_SUCCEEDS,
        .code = TEXT_NONE,
        .text = effect_text(run->arena, &plan->requests[place]->command, verdict),
        .snapshot = run->snapshot,
    };
}

/* --- blocks --------------------------------------------------------------------------------- */

/* Returns whether fewer commands may have what so many cannot. */
static bool is_too_much(enum store_status status)
{
    return status == STORE_TOO_LARGE || status == STORE_REFUSED || status == STORE_TIMED_OUT ||
           status == STORE_EXPIRED;
}

/* Lets the planner answer a command whose documents cannot be loaded, as the worker
   does. */
static void reject(const struct dry_run *run, struct request *request, enum store_status status,
                   size_t bytes_max)
{
    size_t loaded = arena_bytes(run->planning);
    request->rejection = REJECTION_LOAD;
    request->storage_reason = text_copy(run->decoding, text_of(run->error->text));
    if (status != STORE_TOO_LARGE)
        return;
    if (loaded > bytes_max)
        request->excess = (struct excess){false, (int64_t)bytes_max, (int64_t)loaded};
    else
        request->excess = (struct excess){false, STORE_ROWS_BYTES_MAX, STORE_ROWS_BYTES_MAX + 1};
}

/*
 * Plans the first of these items on one snapshot, and sets their verdicts. Sets how many they were:
 * 0 if they must be planned again. Returns the status of the call that failed.
 */
static enum store_status plan_some(struct dry_run *run, struct dry_item *items, size_t count,
                                   size_t *ret_planned)
{
    struct dry_plan plan = new_plan(run, items, count);
    enum store_status status = plan_aborted(run, &plan);
    *ret_planned = status == STORE_OK ? count : 0;
    if (status == STORE_OK) {
        for (size_t i = 0; i < count; i++)
            run->verdicts[items[i].index] = verdict_of(run, &plan, i);
        run->snapshot++;
    } else if (count == 1 && (status == STORE_TOO_LARGE || status == STORE_REFUSED) &&
               items[0].decoded.request.rejection == REJECTION_NONE) {
        reject(run, &items[0].decoded.request, status, plan.snapshot->bytes_max);
        return STORE_OK;
    }
    return status;
}

/* Plans the items of the block. The database has TRIES_MAX tries for each snapshot. */
static bool plan_block(struct dry_run *run)
{
    unsigned tries = 0;
    size_t first = 0, size = run->item_count;
    while (first < run->item_count) {
        size_t left = run->item_count - first;
        size_t count = size < left ? size : left, planned = 0;
        enum store_status status = plan_some(run, run->items + first, count, &planned);
        first += planned;
        if (status == STORE_OK) {
            tries = 0;
        } else if (is_too_much(status) && count > 1) {
            size = count / 2;
        } else if (!try_again(status, ++tries)) {
            return false;
        }
    }
    return true;
}

static bool run_blocks(struct dry_run *run)
{
    if (run->desk->policy == NULL) {
        judge_without_policy(run);
        return true;
    }
    for (size_t next = 0; next < run->count;) {
        arena_reset(run->decoding);
        run->items = ARENA_ARRAY(run->decoding, struct dry_item, DRY_RUN_SNAPSHOT_MAX);
        run->item_count = 0;
        while (next < run->count && run->item_count < DRY_RUN_SNAPSHOT_MAX)
            take_letter(run, next++);
        if (!plan_block(run))
            return false;
    }
    return true;
}

bool dry_run(const struct desk *desk, const struct replay_options *options,
             const struct letter_record *records, size_t count, struct arena *arena,
             struct dry_verdict *ret_verdicts, struct error *error)
{
    struct error own = {""};
    struct dry_run run = {
        .desk = desk,
        .options = options,
        .records = records,
        .count = count,
        .arena = arena,
        .verdicts = ret_verdicts,
        .decoding = arena_new(0),
        .planning = arena_new(0),
        .error = &own,
    };
    bool done = read_clock(&run) && run_blocks(&run);
    arena_free(run.decoding);
    arena_free(run.planning);
    if (!done)
        error_set(error, "cannot say what a replay would do: %s", own.text);
    return done;
}
