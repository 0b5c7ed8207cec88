/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what the storage port promises of letters. Each test runs against the store in memory and
 * against MongoDB. Sections: what is stored, transactions, publishing, claims, known
 * letters.
 *
 * Time passes by world_pass_time(), since no test waits for LETTER_SWEEP_AFTER_MS. Claims see all
 * letters of the database, so tear_down() marks what a test leaves as published.
 *
 * Not here: stores that claim in parallel, faults and indexes on MongoDB
 * (test_store_letters_mongo.c).
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_letters.h"
#include "tests/contract/store_pair.h"

#include <string.h>

enum {
    SECOND_MS = 1000,
    /* MongoDB has two clocks, of which $$NOW is some milliseconds late. */
    SWEEP_MS = LETTER_SWEEP_AFTER_MS + SECOND_MS
};

static int tear_down(void **state)
{
    world_publish_all(*state);
    return 0;
}

static bool is_stored(struct store_world *world, struct text id)
{
    bool stored = false;
    (void)world_letter(world, id, &stored);
    return stored;
}

/* --- what is stored --- */

static void expect_stored(struct store_world *world, const struct letter *letter)
{
    struct letter_record record = world_letter(world, letter->id, NULL);
    assert_same_letter(letter, &record.letter);
}

static void assert_open(const struct letter_record *record)
{
    assert_int_equal(record->state, LETTER_OPEN);
    assert_true(record->unpublished);
    assert_true(record->published_at_ms == 0 && record->expires_at_ms == 0);
    assert_true(record->claimed_until_ms == 0);
    assert_false(text_present(record->claimed_by) || text_present(record->refused));
}

static void test_a_new_letter_has_all_that_was_written(void **state)
{
    struct store_world *world = *state;
    struct letter letter = full_letter(world);
    letter.times = 3;
    world_add_letter(world, &letter);
    struct letter_record record = world_letter(world, letter.id, NULL);
    assert_same_letter(&letter, &record.letter);
    assert_open(&record);
    assert_int_equal(record.count, 3);
    assert_int_equal(record.history_count, 1);
    assert_text(letter.reason, record.history[0].reason);
    assert_text(letter.detail, record.history[0].detail);
    assert_text(letter.worker, record.history[0].worker);
    assert_true(record.first_at_ms == letter.at_ms && record.history[0].at_ms == letter.at_ms);
    assert_true(record.last_at_ms > letter.at_ms && record.letter.at_ms == record.last_at_ms);
}

static void test_what_is_absent_stays_absent(void **state)
{
    struct store_world *world = *state;
    struct letter letter = bare_letter(world);
    world_add_letter(world, &letter);
    struct letter_record record = world_letter(world, letter.id, NULL);
    assert_same_letter(&letter, &record.letter);
    assert_open(&record);
    assert_int_equal(record.history_count, 1);
    assert_false(text_present(record.history[0].detail));
}

static void test_a_body_may_be_empty(void **state)
{
    struct store_world *world = *state;
    struct letter letter = full_letter(world);
    letter.body = letter.detail = letter.properties.reply_to = text_of("");
    world_add_letter(world, &letter);
    expect_stored(world, &letter);
}

/* Gives the letter these bytes in each text but `id`. */
static void fill_texts(struct letter *letter, struct text bytes)
{
    struct properties *properties = &letter->properties;
    struct text *const texts[] = {
        &letter->reason,         &letter->detail,
        &letter->principal,      &letter->key,
        &letter->command,        &letter->project,
        &letter->group,          &letter->queue,
        &letter->worker,         &letter->traceparent,
        &letter->body,           &letter->raw_headers,
        &letter->body_sha256,    &properties->content_type,
        &properties->reply_to,   &properties->content_encoding,
        &properties->expiration, &properties->correlation_id,
        &properties->message_id, &properties->type,
        &properties->user_id,    &properties->app_id,
        &properties->cluster_id,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = bytes;
}

/* What the broker or a producer sends need not be UTF-8, and must not stop the insert. */
static void test_any_bytes_are_kept_in_any_text(void **state)
{
    static const struct text cases[] = {
        {"\0", 1},           {"a\0b", 3},         {"\xff\xfe", 2},
        {"\xc0\x80", 2},     {"\xed\xa0\x80", 3}, {"\xf4\x90\x80\x80", 4},
        {"cut \xe2\x82", 6}, {"$where", 6},       {"$$NOW", 5},
        {"a.b", 3},          {"\xef\xbf\xbf", 3}, {"\x80\0\x80", 3},
    };
    struct store_world *world = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct letter letter = full_letter(world);
        struct session session = session_open(world);
        fill_texts(&letter, cases[i]);
        world_add_letter(world, &letter);
        world_add_letter(world, &letter);
        struct letter_record record = world_letter(world, letter.id, NULL);
        assert_same_letter(&letter, &record.letter);
        assert_int_equal(record.history_count, 2);
        assert_text(cases[i], record.history[1].detail);
        assert_status(&session, STORE_OK, session_refuse(&session, letter.id, cases[i]));
        assert_text(cases[i], world_letter(world, letter.id, NULL).refused);
        session_close(&session);
    }
}

static void test_an_integer_of_64_bits_is_kept(void **state)
{
    struct store_world *world = *state;
    struct letter letter = bare_letter(world);
    letter.attempts = INT64_MAX;
    letter.body_size = INT64_MAX;
    letter.properties.has_timestamp = letter.properties.has_priority = true;
    world_add_letter(world, &letter);
    expect_stored(world, &letter);
}

static void test_a_letter_that_comes_again_counts_and_gets_the_latest_reason(void **state)
{
    struct store_world *world = *state;
    struct letter first = full_letter(world), again = full_letter(world);
    again.id = first.id;
    again.times = 4;
    again.source = LETTER_SOURCE_BROKER;
    again.reason = text_of("expired");
    again.detail = TEXT_NONE;
    again.worker = text_of("host:2");
    again.principal = again.group = again.body = text_of("other");
    again.consumers = NULL;
    again.consumer_count = 0;
    world_add_letter(world, &first);
    struct letter_record before = world_letter(world, first.id, NULL);
    world_pass_time(world, SECOND_MS);
    world_add_letter(world, &again);
    struct letter_record record = world_letter(world, first.id, NULL);
    assert_true(record.last_at_ms >= before.last_at_ms);
    assert_true(record.first_at_ms == before.first_at_ms);
    assert_int_equal(record.count, 5);
    assert_int_equal(record.history_count, 2);
    assert_text(text_of("internal"), record.history[0].reason);
    assert_text(text_of("expired"), record.history[1].reason);
    assert_false(text_present(record.history[1].detail));
    first.reason = again.reason;
    first.detail = again.detail;
    first.worker = again.worker;
    first.group = again.group;
    first.body = again.body;
    assert_same_letter(&first, &record.letter);
    assert_int_equal(record.bytes, letter_bytes(&again));
    assert_open(&record);
}

static void test_the_history_keeps_the_newest_entries(void **state)
{
    enum { TIMES = LETTER_HISTORY_MAX + 3 };
    struct store_world *world = *state;
    struct letter letter = full_letter(world);
    for (int i = 0; i < TIMES; i++) {
        letter.detail = text_format(world->arena, "%d", i);
        world_add_letter(world, &letter);
    }
    struct letter_record record = world_letter(world, letter.id, NULL);
    assert_int_equal(record.count, TIMES);
    assert_int_equal(record.history_count, LETTER_HISTORY_MAX);
    assert_text(text_of("3"), record.history[0].detail);
    assert_text(letter.detail, record.history[LETTER_HISTORY_MAX - 1].detail);
}

/* More of them at a time would not fit into the cache of the small servers of the tests. */
static void test_a_letter_may_have_three_mebibytes(void **state)
{
    enum { LETTERS = 4, LARGE = 3 * 512 * 1024 };
    struct store_world *world = *state;
    struct letter letters[LETTERS];
    char *bytes = arena_alloc(world->arena, LARGE);
    memset(bytes, 0xfe, LARGE);
    for (size_t i = 0; i < LETTERS; i++) {
        letters[i] = full_letter(world);
        letters[i].body = letters[i].raw_headers = text_view(bytes, LARGE);
    }
    world_add_letters(world, letters, LETTERS);
    world_add_letters(world, letters, LETTERS);
    expect_stored(world, &letters[LETTERS - 1]);
}

/* --- transactions --- */

static void test_letters_and_commands_are_committed_together(void **state)
{
    struct store_world *world = *state;
    for (int committed = 0; committed < 2; committed++) {
        struct session session = session_open(world);
        struct text key = world_text(world, "key");
        struct letter letter = full_letter(world);
        (void)open_outcome(&session, conductor(), key);
        put_outcome(&session, conductor(), key, "{}");
        assert_status(&session, STORE_OK, session_write(&session));
        assert_status(&session, STORE_OK, session_write_letters(&session, &letter, 1));
        assert_false(is_stored(world, letter.id));
        if (committed == 1)
            assert_status(&session, STORE_OK, session_commit(&session));
        session_restart(&session);
        assert_int_equal(is_stored(world, letter.id), committed);
        assert_int_equal(open_outcome(&session, conductor(), key)->state.exists, committed);
        session_close(&session);
    }
}

static void test_no_letters_are_no_write(void **state)
{
    struct session session = session_open(*state);
    session_begin(&session);
    assert_status(&session, STORE_OK, session_write_letters(&session, NULL, 0));
    assert_status(&session, STORE_OK, session_commit(&session));
    session_close(&session);
}

/* The letter is new, or stored already; the first transaction is open, or has committed after the
   snapshot of the second. */
static void test_two_transactions_that_write_one_letter_conflict(void **state)
{
    struct store_world *world = *state;
    for (int round = 0; round < 4; round++) {
        bool is_new = round % 2 == 0, late = round / 2 == 1;
        struct pair pair = pair_open(world);
        struct letter letter = full_letter(world);
        if (!is_new)
            world_add_letter(world, &letter);
        (void)open_provider(&pair.first, world_uuid(world));
        (void)open_provider(&pair.second, world_uuid(world)); /* takes its snapshot */
        assert_status(&pair.first, STORE_OK, session_write_letters(&pair.first, &letter, 1));
        if (late)
            assert_status(&pair.first, STORE_OK, session_commit(&pair.first));
        assert_status(&pair.second, STORE_CONFLICT,
                      session_write_letters(&pair.second, &letter, 1));
        if (!late)
            assert_status(&pair.first, STORE_OK, session_commit(&pair.first));
        session_restart(&pair.second);
        assert_int_equal(world_letter(world, letter.id, NULL).count, is_new ? 1 : 2);
        session_begin(&pair.second);
        assert_status(&pair.second, STORE_OK, session_write_letters(&pair.second, &letter, 1));
        assert_status(&pair.second, STORE_OK, session_commit(&pair.second));
        assert_int_equal(world_letter(world, letter.id, NULL).count, is_new ? 2 : 3);
        pair_close(&pair);
    }
}

static void test_a_conflict_leaves_no_letter_of_the_call(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct letter letters[] = {full_letter(world), full_letter(world), full_letter(world)};
    session_begin(&pair.first);
    session_begin(&pair.second);
    assert_status(&pair.first, STORE_OK, session_write_letters(&pair.first, &letters[1], 1));
    assert_status(&pair.second, STORE_CONFLICT, session_write_letters(&pair.second, letters, 3));
    assert_status(&pair.second, STORE_CONFLICT, session_commit(&pair.second));
    session_restart(&pair.second);
    assert_false(is_stored(world, letters[0].id) || is_stored(world, letters[2].id));
    pair_close(&pair);
}

/* What was written before a mark must not bring the old state back. */
static void test_a_mark_conflicts_with_a_write_on_an_older_snapshot(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct letter letter = full_letter(world);
    world_add_letter(world, &letter);
    (void)open_provider(&pair.first, world_uuid(world));
    assert_status(&pair.second, STORE_OK, session_publish(&pair.second, &letter.id, 1));
    assert_status(&pair.first, STORE_CONFLICT, session_write_letters(&pair.first, &letter, 1));
    session_restart(&pair.first);
    assert_true(world_letter(world, letter.id, NULL).published_at_ms > 0);
    pair_close(&pair);
}

static void test_an_invalid_letter_is_refused(void **state)
{
    struct store_world *world = *state;
    struct letter good = full_letter(world);
    struct letter bad[] = {full_letter(world), full_letter(world), full_letter(world),
                           full_letter(world)};
    bad[0].id = text_of("0123456789ABCDEF0123456789abcdef");
    bad[1].id = text_of("0123456789abcdef");
    bad[2].attempts = -1;
    bad[3].times = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct session session = session_open(world);
        struct letter letters[] = {good, bad[i]};
        session_begin(&session);
        assert_status(&session, STORE_REFUSED, session_write_letters(&session, letters, 2));
        session_close(&session);
        assert_false(is_stored(world, good.id));
    }
}

/* --- publishing --- */

static void test_a_published_letter_expires_after_the_retention(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letters[] = {full_letter(world), full_letter(world), full_letter(world)};
    struct text ids[] = {letters[0].id, world_letter_id(world), letters[1].id};
    world_add_letters(world, letters, 3);
    assert_status(&session, STORE_OK, session_publish(&session, ids, 3));
    for (size_t i = 0; i < 2; i++) {
        struct letter_record record = world_letter(world, letters[i].id, NULL);
        assert_same_letter(&letters[i], &record.letter);
        assert_int_equal(record.state, LETTER_OPEN);
        assert_false(record.unpublished);
        assert_true(record.published_at_ms > record.last_at_ms - SECOND_MS);
        assert_int_equal(record.expires_at_ms - record.published_at_ms,
                         MEMORY_LETTERS_RETENTION_MS);
    }
    struct letter_record other = world_letter(world, letters[2].id, NULL);
    assert_open(&other);
    session_close(&session);
}

/* Also if the letter was unpublished before. */
static void assert_written_as_published(struct store_world *world, bool there_before)
{
    struct session session = session_open(world);
    struct letter letter = full_letter(world);
    if (there_before)
        world_add_letter(world, &letter);
    letter.published = true;
    world_add_letter(world, &letter);
    struct letter_record record = world_letter(world, letter.id, NULL);
    assert_same_letter(&letter, &record.letter);
    assert_int_equal(record.state, LETTER_OPEN);
    assert_false(record.unpublished);
    assert_true(record.published_at_ms > record.last_at_ms - SECOND_MS);
    assert_int_equal(record.expires_at_ms - record.published_at_ms, MEMORY_LETTERS_RETENTION_MS);
    world_pass_time(world, SWEEP_MS);
    assert_int_equal(session_claim(&session, 10).count, 0);
    session_close(&session);
}

static void test_a_letter_may_be_written_as_published(void **state)
{
    assert_written_as_published(*state, false);
    assert_written_as_published(*state, true);
}

static void test_a_repeated_mark_does_not_extend_the_retention(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letter = full_letter(world);
    world_add_letter(world, &letter);
    assert_status(&session, STORE_OK, session_publish(&session, &letter.id, 1));
    int64_t expires_at_ms = world_letter(world, letter.id, NULL).expires_at_ms;
    world_pass_time(world, SECOND_MS);
    assert_status(&session, STORE_OK, session_publish(&session, &letter.id, 1));
    assert_true(world_letter(world, letter.id, NULL).expires_at_ms == expires_at_ms);
    session_close(&session);
}

static void test_no_ids_and_unknown_ids_are_ignored(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text id = world_letter_id(world);
    assert_status(&session, STORE_OK, session_publish(&session, NULL, 0));
    assert_status(&session, STORE_OK, session_publish(&session, &id, 1));
    assert_status(&session, STORE_OK, session_refuse(&session, id, text_of("no")));
    assert_false(is_stored(world, id));
    session_close(&session);
}

static void test_a_letter_that_comes_again_is_to_be_published_again(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (int refused = 0; refused < 2; refused++) {
        struct letter letter = full_letter(world);
        world_add_letter(world, &letter);
        if (refused == 1)
            assert_status(&session, STORE_OK, session_refuse(&session, letter.id, text_of("no")));
        else
            assert_status(&session, STORE_OK, session_publish(&session, &letter.id, 1));
        world_add_letter(world, &letter);
        struct letter_record record = world_letter(world, letter.id, NULL);
        assert_open(&record);
        assert_int_equal(record.count, 2);
    }
    session_close(&session);
}

static void test_a_refused_letter_stays_open_without_expiry(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letter = full_letter(world);
    world_add_letter(world, &letter);
    assert_status(&session, STORE_OK, session_refuse(&session, letter.id, text_of("too large")));
    assert_status(&session, STORE_OK, session_refuse(&session, letter.id, text_of("again")));
    struct letter_record record = world_letter(world, letter.id, NULL);
    assert_text(text_of("too large"), record.refused);
    assert_int_equal(record.state, LETTER_OPEN);
    assert_false(record.unpublished);
    assert_true(record.expires_at_ms == 0 && record.published_at_ms == 0);
    world_pass_time(world, SWEEP_MS);
    assert_int_equal(session_claim(&session, 10).count, 0);
    session_close(&session);
}

/* Two workers may publish one letter: the confirm counts more than a refusal, in any order. */
static void test_a_confirm_counts_more_than_a_refusal(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    for (int order = 0; order < 2; order++) {
        struct letter letter = full_letter(world);
        world_add_letter(world, &letter);
        for (int call = 0; call < 2; call++) {
            if (call == order)
                assert_status(&session, STORE_OK, session_publish(&session, &letter.id, 1));
            else
                assert_status(&session, STORE_OK,
                              session_refuse(&session, letter.id, text_of("no")));
        }
        struct letter_record record = world_letter(world, letter.id, NULL);
        assert_false(text_present(record.refused));
        assert_true(record.published_at_ms > 0);
    }
    session_close(&session);
}

/* --- claims --- */

static void test_a_letter_is_claimed_when_it_waited_long_enough(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letter = full_letter(world);
    world_add_letter(world, &letter);
    world_pass_time(world, LETTER_SWEEP_AFTER_MS / 2);
    assert_int_equal(session_claim(&session, 10).count, 0);
    world_pass_time(world, LETTER_SWEEP_AFTER_MS / 2 + SECOND_MS);
    struct claimed claimed = session_claim(&session, 10);
    assert_int_equal(claimed.count, 1);
    assert_same_letter(&letter, &claimed.letters[0]);
    assert_int_equal(claimed.letters[0].times, 1);
    struct letter_record record = world_letter(world, letter.id, NULL);
    assert_true(record.unpublished && text_present(record.claimed_by));
    session_close(&session);
}

static void test_the_oldest_letters_are_claimed_first(void **state)
{
    enum { LETTERS = 5 };
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct letter letters[LETTERS];
    for (size_t i = 0; i < LETTERS; i++)
        letters[i] = full_letter(world);
    for (size_t i = 0; i < LETTERS; i++) {
        world_add_letter(world, &letters[(i * 2) % LETTERS]); /* not in the order of ids */
        world_pass_time(world, SECOND_MS);
    }
    world_pass_time(world, SWEEP_MS);
    assert_int_equal(session_claim(&pair.first, 0).count, 0);
    struct claimed first = session_claim(&pair.first, 3), second = session_claim(&pair.second, 3);
    assert_int_equal(first.count, 3);
    assert_int_equal(second.count, 2);
    for (size_t i = 0; i < LETTERS; i++) {
        struct text id = i < 3 ? first.letters[i].id : second.letters[i - 3].id;
        assert_text(letters[(i * 2) % LETTERS].id, id);
    }
    pair_close(&pair);
}

static void test_a_claim_keeps_others_away_until_it_is_over(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct letter letter = full_letter(world);
    world_add_letter(world, &letter);
    world_pass_time(world, SWEEP_MS);
    assert_int_equal(session_claim(&pair.first, 10).count, 1);
    assert_int_equal(session_claim(&pair.second, 10).count, 0);
    world_pass_time(world, LETTER_CLAIM_MS / 2);
    assert_int_equal(session_claim(&pair.second, 10).count, 0);
    world_pass_time(world, LETTER_CLAIM_MS / 2);
    assert_int_equal(session_claim(&pair.second, 10).count, 1);
    assert_int_equal(session_claim(&pair.first, 10).count, 0);
    pair_close(&pair);
}

/* The store may be publishing what it claimed. */
static void test_a_second_claim_of_the_same_store_leaves_out_the_first(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letters[] = {full_letter(world), full_letter(world)};
    world_add_letters(world, letters, 2);
    world_pass_time(world, SWEEP_MS);
    assert_int_equal(session_claim(&session, 1).count, 1);
    assert_int_equal(session_claim(&session, 2).count, 1);
    assert_int_equal(session_claim(&session, 2).count, 0);
    world_pass_time(world, LETTER_CLAIM_MS);
    assert_int_equal(session_claim(&session, 2).count, 2);
    session_close(&session);
}

static void test_a_claim_is_bounded_in_bytes_of_headers_and_bodies(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct claimed claimed;
    for (int i = 0; i < 4; i++) {
        struct letter letter = full_letter(world);
        letter.body = i == 2 ? TEXT_NONE : text_of("1234567890");
        letter.raw_headers = i == 2 ? TEXT_NONE : text_of("12345");
        world_add_letter(world, &letter);
        world_pass_time(world, SECOND_MS);
    }
    world_pass_time(world, SWEEP_MS);
    static const struct {
        size_t bytes, count;
    } cases[] = {{44, 3}, {30, 3}, {29, 1}, {15, 1}, {1, 1}, {0, 1}, {45, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_status(&session, STORE_OK,
                      session_try_claim(&session, 10, cases[i].bytes, &claimed));
        assert_int_equal(claimed.count, cases[i].count);
        world_pass_time(world, LETTER_CLAIM_MS);
    }
    session_close(&session);
}

static void test_a_published_letter_is_not_claimed(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct letter letter = full_letter(world);
    world_add_letter(world, &letter);
    world_pass_time(world, SWEEP_MS);
    assert_int_equal(session_claim(&pair.first, 10).count, 1);
    assert_status(&pair.second, STORE_OK, session_publish(&pair.second, &letter.id, 1));
    struct letter_record record = world_letter(world, letter.id, NULL);
    assert_false(text_present(record.claimed_by) || record.claimed_until_ms != 0);
    assert_int_equal(session_claim(&pair.first, 10).count, 0);
    pair_close(&pair);
}

static void test_a_letter_that_comes_again_ends_the_claim(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct letter letter = full_letter(world);
    world_add_letter(world, &letter);
    world_pass_time(world, SWEEP_MS);
    assert_int_equal(session_claim(&pair.first, 10).count, 1);
    world_add_letter(world, &letter);
    assert_int_equal(session_claim(&pair.first, 10).count, 0);
    world_pass_time(world, SWEEP_MS);
    assert_int_equal(session_claim(&pair.second, 10).count, 1);
    pair_close(&pair);
}

/* --- known letters --- */

static void test_letters_are_found_with_what_they_say(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter first = full_letter(world), second = bare_letter(world);
    first.source = LETTER_SOURCE_BROKER;
    world_add_letter(world, &first);
    world_add_letter(world, &second);
    struct text ids[] = {second.id, world_letter_id(world), first.id, second.id};
    struct letter_sighting found[4];
    assert_status(&session, STORE_OK,
                  session.store->ops->find_letters(session.store, ids, 4, session.arena, found,
                                                   &session.error));
    assert_true(found[0].exists && found[2].exists && found[3].exists);
    assert_false(found[1].exists || text_present(found[1].reason));
    assert_int_equal(found[2].source, LETTER_SOURCE_BROKER);
    assert_text(first.reason, found[2].reason);
    assert_text(first.detail, found[2].detail);
    assert_text(first.body_sha256, found[2].body_sha256);
    assert_false(text_present(found[0].body_sha256));
    session_close(&session);
}

static void test_a_letter_that_comes_again_is_found_with_the_latest_reason(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct letter letter = full_letter(world);
    world_add_letter(world, &letter);
    letter.reason = text_of("expired");
    letter.detail = text_of("later");
    world_add_letter(world, &letter);
    struct letter_sighting found = session_find(&session, letter.id);
    assert_text(text_of("expired"), found.reason);
    assert_text(text_of("later"), found.detail);
    session_close(&session);
}

/* Producers can write any bytes into a header. */
static void test_what_is_no_id_is_not_found(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    const struct text ids[] = {text_of(""), text_of("x"), text_view("\xff\x00", 2), TEXT_NONE,
                               text_of("0123456789ABCDEF0123456789ABCDEF")};
    struct letter letter = full_letter(world);
    world_add_letter(world, &letter);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        assert_false(session_find(&session, ids[i]).exists);
    assert_status(&session, STORE_OK,
                  session.store->ops->find_letters(session.store, NULL, 0, session.arena, NULL,
                                                   &session.error));
    session_close(&session);
}

static void test_a_letter_that_is_not_committed_is_not_found(void **state)
{
    struct store_world *world = *state;
    struct pair pair = pair_open(world);
    struct letter letter = full_letter(world);
    session_begin(&pair.first);
    assert_status(&pair.first, STORE_OK, session_write_letters(&pair.first, &letter, 1));
    assert_false(session_find(&pair.second, letter.id).exists);
    assert_status(&pair.first, STORE_OK, session_commit(&pair.first));
    pair.first.store->ops->end(pair.first.store);
    assert_true(session_find(&pair.second, letter.id).exists);
    pair_close(&pair);
}

#define LETTER_TEST(test) cmocka_unit_test_teardown(test, tear_down)

static const struct CMUnitTest tests[] = {
    LETTER_TEST(test_a_new_letter_has_all_that_was_written),
    LETTER_TEST(test_what_is_absent_stays_absent),
    LETTER_TEST(test_a_body_may_be_empty),
    LETTER_TEST(test_any_bytes_are_kept_in_any_text),
    LETTER_TEST(test_an_integer_of_64_bits_is_kept),
    LETTER_TEST(test_a_letter_that_comes_again_counts_and_gets_the_latest_reason),
    LETTER_TEST(test_the_history_keeps_the_newest_entries),
    LETTER_TEST(test_a_letter_may_have_three_mebibytes),
    LETTER_TEST(test_letters_and_commands_are_committed_together),
    LETTER_TEST(test_no_letters_are_no_write),
    LETTER_TEST(test_two_transactions_that_write_one_letter_conflict),
    LETTER_TEST(test_a_conflict_leaves_no_letter_of_the_call),
    LETTER_TEST(test_a_mark_conflicts_with_a_write_on_an_older_snapshot),
    LETTER_TEST(test_an_invalid_letter_is_refused),
    LETTER_TEST(test_a_published_letter_expires_after_the_retention),
    LETTER_TEST(test_a_letter_may_be_written_as_published),
    LETTER_TEST(test_a_repeated_mark_does_not_extend_the_retention),
    LETTER_TEST(test_no_ids_and_unknown_ids_are_ignored),
    LETTER_TEST(test_a_letter_that_comes_again_is_to_be_published_again),
    LETTER_TEST(test_a_refused_letter_stays_open_without_expiry),
    LETTER_TEST(test_a_confirm_counts_more_than_a_refusal),
    LETTER_TEST(test_a_letter_is_claimed_when_it_waited_long_enough),
    LETTER_TEST(test_the_oldest_letters_are_claimed_first),
    LETTER_TEST(test_a_claim_keeps_others_away_until_it_is_over),
    LETTER_TEST(test_a_second_claim_of_the_same_store_leaves_out_the_first),
    LETTER_TEST(test_a_claim_is_bounded_in_bytes_of_headers_and_bodies),
    LETTER_TEST(test_a_published_letter_is_not_claimed),
    LETTER_TEST(test_a_letter_that_comes_again_ends_the_claim),
    LETTER_TEST(test_letters_are_found_with_what_they_say),
    LETTER_TEST(test_a_letter_that_comes_again_is_found_with_the_latest_reason),
    LETTER_TEST(test_what_is_no_id_is_not_found),
    LETTER_TEST(test_a_letter_that_is_not_committed_is_not_found),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("store letters in memory", tests, store_world_memory,
                                             store_world_end) != 0;
    failed |= cmocka_run_group_tests_name("store letters on MongoDB", tests, store_world_mongo,
                                          store_world_end) != 0;
    return failed;
}
