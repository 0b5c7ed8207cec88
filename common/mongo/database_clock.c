/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The server deletes what has expired by its own clock, and workers may run on machines
 * whose clocks are wrong. So each stored time, and each time that is compared with a deadline, is
 * the database's: the monotonic clock of this machine plus an offset. The offset is measured with
 * `hello`, whose answer has the server's time (`localTime`). That time counts for the middle of the
 * round trip, so an offset is wrong by half of the round trip at most.
 *
 * A measurement is made by `prepare`, and by `begin`, `record_attempts` and `report_worker` when it
 * is due: after MEASURE_AFTER_MS, since two clocks drift apart, and after a change of the primary,
 * since each server has a clock of its own. note_primary() in pool.c counts the changes; libmongoc
 * may call it in any thread, so it only adds to a counter, which the next call that needs the time
 * compares.
 *
 * A measurement that fails is a failed call. There is no other clock to use instead.
 *
 * Rejected: $$NOW of the server in each write. The planner needs the time before the write, and
 * inserts in a transaction cannot use it.
 */
#include "common/mongo/session.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>

enum {
    SAMPLES_MAX = 3,
    ROUND_TRIP_GOOD_MS = 50,      /* an answer as fast as this needs no better one */
    MEASURE_AFTER_MS = 60 * 1000, /* clocks that are not synchronized drift by 1 to 5 ms a minute */
    DIFFERENCE_WARNING_MS = 5000,
    MS_PER_S = 1000
};

int64_t mongo_monotonic_ms(const struct mongo_store *store)
{
    return store->pool->clock->monotonic_ms(store->pool->clock);
}

/* One answer of the primary. */
struct sample {
    int64_t offset_ms;
    int64_t round_trip_ms;
    uint64_t primary_changes;
};

static bool read_local_time(const bson_t *hello, int64_t *ret_ms)
{
    bson_iter_t primary, time;
    bool found = bson_iter_init_find(&primary, hello, "isWritablePrimary") &&
                 bson_iter_as_bool(&primary) && bson_iter_init_find(&time, hello, "localTime") &&
                 BSON_ITER_HOLDS_DATE_TIME(&time);
    *ret_ms = found ? bson_iter_date_time(&time) : 0;
    return found;
}

static enum store_status take_sample(struct mongo_store *store, enum mongo_phase phase,
                                     struct sample *ret_sample, struct error *error)
{
    bson_t command = BSON_INITIALIZER, reply;
    bson_error_t cause;
    int64_t local_ms = 0;
    enum store_status status = STORE_OK;
    BSON_APPEND_INT32(&command, "hello", 1);
    ret_sample->primary_changes = store->pool->primary_changes;
    int64_t sent_ms = mongo_monotonic_ms(store);
    bool answered =
        mongoc_client_command_simple(store->client, "admin", &command, NULL, &reply, &cause);
    int64_t received_ms = mongo_monotonic_ms(store);
    if (!answered) {
        status = mongo_failed(store, phase, &cause, &reply, error);
    } else if (!read_local_time(&reply, &local_ms)) {
        error_set(error, "mongodb: the server that was asked for its time is not the primary");
        status = STORE_UNAVAILABLE;
    }
    bson_destroy(&reply);
    bson_destroy(&command);
    ret_sample->round_trip_ms = received_ms - sent_ms;
    ret_sample->offset_ms = local_ms - (sent_ms + (received_ms - sent_ms) / 2);
    return status;
}

/* Sets the sample with the shortest round trip. One during which the primary changed does not
   count: nobody knows which server it is of. */
static enum store_status take_best(struct mongo_store *store, enum mongo_phase phase,
                                   struct sample *ret_best, struct error *error)
{
    ret_best->round_trip_ms = INT64_MAX;
    for (int i = 0; i < SAMPLES_MAX && ret_best->round_trip_ms > ROUND_TRIP_GOOD_MS; i++) {
        struct sample sample;
        enum store_status status = take_sample(store, phase, &sample, error);
        if (status != STORE_OK)
            return status;
        if (sample.primary_changes == store->pool->primary_changes &&
            sample.round_trip_ms < ret_best->round_trip_ms)
            *ret_best = sample;
    }
    if (ret_best->round_trip_ms < INT64_MAX)
        return STORE_OK;
    error_set(error, "mongodb: the primary changed while it was asked for its time");
    return STORE_UNAVAILABLE;
}

int64_t mongo_wall_ahead_ms(struct mongo_store *store)
{
    struct clock *clock = store->pool->clock;
    return clock->wall_ms(clock) - mongo_now_ms(&store->base);
}

/* Warns when the wall clock of this machine begins to differ from the database's. */
static void compare_wall_clock(struct mongo_store *store)
{
    int64_t ahead_ms = mongo_wall_ahead_ms(store);
    bool differs = ahead_ms > DIFFERENCE_WARNING_MS || ahead_ms < -DIFFERENCE_WARNING_MS;
    bool differed = atomic_exchange(&store->pool->clock_differs, differs);
    if (differs && !differed)
        mongoc_log(MONGOC_LOG_LEVEL_WARNING, MONGO_WARNING_DOMAIN,
                   "the clock of this machine is %" PRId64 " s %s the database's: check the time "
                   "synchronization of both. Deadlines and expiry go by the database's clock; only "
                   "the times in the log are this machine's",
                   (ahead_ms > 0 ? ahead_ms : -ahead_ms) / MS_PER_S,
                   ahead_ms > 0 ? "ahead of" : "behind");
}

static bool is_due(const struct mongo_store *store)
{
    const struct database_clock *clock = &store->clock;
    return !clock->measured || clock->primary_changes != store->pool->primary_changes ||
           mongo_monotonic_ms(store) - clock->measured_ms >= MEASURE_AFTER_MS;
}

enum store_status mongo_measure_clock(struct mongo_store *store, enum mongo_phase phase,
                                      struct error *error)
{
    struct sample best;
    if (!is_due(store))
        return STORE_OK;
    enum store_status status = take_best(store, phase, &best, error);
    if (status != STORE_OK)
        return status;
    store->clock = (struct database_clock){.measured = true,
                                           .offset_ms = best.offset_ms,
                                           .measured_ms = mongo_monotonic_ms(store),
                                           .primary_changes = best.primary_changes};
    store->pool->clock_measurements++;
    compare_wall_clock(store);
    return STORE_OK;
}

int64_t mongo_now_ms(struct store *base)
{
    struct mongo_store *store = (struct mongo_store *)base;
    assert(store->clock.measured);
    return mongo_monotonic_ms(store) + store->clock.offset_ms;
}

enum store_status mongo_read_clock(struct store *base, int64_t *ret_now_ms, struct error *error)
{
    struct mongo_store *store = (struct mongo_store *)base;
    enum store_status status = mongo_measure_clock(store, PHASE_RUN, error);
    *ret_now_ms = status == STORE_OK ? mongo_now_ms(base) : 0;
    return status;
}
