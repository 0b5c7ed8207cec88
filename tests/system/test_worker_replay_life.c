/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what becomes of letters whose commands are sent again to a real worker: by allotctl, under
 * the same or a new key, or by their producers. Each test reads the letter's state and history
 * afterwards, and looks for the effect in the database.
 *
 * Not here: what is sent (test_worker_replay.c), runs that are interrupted
 * (test_worker_replay_run.c), and edited commands (test_worker_letters_edited.c).
 */
#include "tests/system/worker_replay.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/system/worker_database.h"

#define CREATE(number)                                                                             \
    "{\"version\":1,\"command\":\"provider.create\",\"params\":{\"uuid\":"                         \
    "\"00000000-0000-4000-8000-00000000000" number "\",\"name\":\"host-" number "\"}}"
#define SPACED                                                                                     \
    "{\"version\": 1, \"command\": \"provider.create\", \"params\": {\"name\":"                    \
    " \"host-1\", \"uuid\": \"00000000-0000-4000-8000-000000000001\"}}"

static struct producer conductor(void)
{
    return open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
}

static void end(struct producer *producer, pid_t worker)
{
    client_close(producer->client);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

static void expect_audit_is_clean(void)
{
    (void)run_reader(0, "audit");
}

/* The whole life: made, grouped, dry run, its cause removed, replayed, answered. */
static void test_a_letter_is_replayed_when_its_cause_is_removed(void **state)
{
    (void)state;
    char id[64];
    struct producer producer = conductor();
    pid_t worker = restart_worker(0, policy_shut);
    (void)snprintf(id, sizeof id, "%s", make_letter(&producer, "key-1", CREATE("1")));
    json_t *group = last_object(run_reader(0, "letter groups --json"));
    expect_member(group, "reason", "forbidden");
    expect_member(group, "sample", id);
    expect_number(group, "count", 1);
    json_decref(group);
    const char *output = run_operator(0, "letter replay %s --dry-run", id);
    expect_output(output, "would_fail\tforbidden");
    expect_output(output, "1 would fail");
    (void)run_reader(1, "outcome show key-1 --principal conductor");

    worker = restart_worker(worker, policy_open);
    output = run_operator(0, "letter replay %s --dry-run", id);
    expect_output(output, "would_succeed");
    expect_output(output, "created as 'host-1'");
    expect_output(output, "1 letter: 1 would succeed");
    expect_output(output, "policy: /tmp/allot-");
    assert_int_equal(count_documents("providers", "{\"name\": \"host-1\"}"), 0);
    output = run_operator(0, "letter replay %s --yes", id);
    expect_output(output, "1 of 1 sent: 1 succeeded, 0 failed, 0 waiting");
    assert_int_equal(count_documents("providers", "{\"name\": \"host-1\"}"), 1);
    expect_state(id, "resolved");
    expect_history(id, "forbidden replayed succeeded");
    json_t *outcome = last_object(run_reader(0, "outcome show key-1 --principal conductor --json"));
    expect_member(outcome, "code", "success");
    expect_member(outcome, "command", "provider.create");
    assert_true(json_integer_value(json_object_get(outcome, "expires_at_ms")) >
                json_integer_value(json_object_get(outcome, "recorded_at_ms")));
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(outcome, "reply"), "status")), "success");
    json_decref(outcome);
    expect_output(run_operator(0, "letter replay %s --yes", id), "there is nothing to send");
    assert_string_equal(run_reader(0, "letter groups"), "");
    expect_audit_is_clean();
    end(&producer, worker);
}

static void test_a_letter_that_fails_again_is_the_same_letter(void **state)
{
    (void)state;
    char id[64];
    struct producer producer = conductor();
    pid_t worker = restart_worker(0, policy_shut);
    (void)snprintf(id, sizeof id, "%s", make_letter(&producer, "key-1", CREATE("1")));
    const char *output = run_operator(1, "letter replay %s --yes", id);
    expect_output(output, "1 would fail");
    expect_output(output, "1 of 1 sent: 0 succeeded, 1 failed");
    expect_state(id, "open");
    expect_history(id, "forbidden replayed forbidden");
    assert_int_equal(count_letters("{}"), 1);
    /* Another reason: it belongs to the group of that one now. */
    worker = restart_worker(worker, policy_open);
    expect(&producer, "key-2", CREATE("1"), "\"success\"");
    (void)run_operator(1, "letter replay %s --yes --timeout 60s", id);
    expect_state(id, "open");
    json_t *group = last_object(run_reader(0, "letter groups --json"));
    expect_member(group, "reason", "provider_exists");
    expect_member(group, "sample", id);
    json_decref(group);
    expect_output(run_reader(0, "letter groups"), "provider.create");
    expect_history(id, "forbidden replayed forbidden replayed provider_exists");
    end(&producer, worker);
}

/* The failure is recorded, and a replay gets that answer, as the dry run says. */
static void test_a_recorded_failure_is_said_with_its_time(void **state)
{
    (void)state;
    char id[64];
    struct producer producer = conductor();
    pid_t worker = restart_worker(0, policy_open);
    expect(&producer, "key-1", CREATE("1"), "\"success\"");
    (void)snprintf(id, sizeof id, "%s", make_letter(&producer, "key-2", CREATE("1")));
    json_t *outcome = last_object(run_reader(0, "outcome show key-2 --principal conductor --json"));
    expect_member(outcome, "code", "provider_exists");
    json_int_t at_ms = json_integer_value(json_object_get(outcome, "recorded_at_ms"));
    json_decref(outcome);
    json_t *verdict = first_object(run_operator(0, "letter replay %s --dry-run --json", id));
    expect_member(verdict, "verdict", "already_answered");
    expect_member(verdict, "code", "provider_exists");
    expect_number(verdict, "recorded_at_ms", at_ms);
    json_decref(verdict);
    expect_state(id, "open");
    end(&producer, worker);
}

static void test_a_letter_closes_when_its_producer_has_sent_it_again(void **state)
{
    (void)state;
    struct producer producer = conductor();
    pid_t worker = restart_worker(0, policy_shut);
    char first[64], second[64], third[64];
    (void)snprintf(first, sizeof first, "%s", make_letter(&producer, "key-1", SPACED));
    (void)snprintf(second, sizeof second, "%s", make_letter(&producer, "key-2", CREATE("2")));
    (void)snprintf(third, sizeof third, "%s", make_letter(&producer, "key-3", CREATE("3")));
    worker = restart_worker(worker, policy_open);
    expect(&producer, "key-1", CREATE("1"),
           "\"success\""); /* the same command, written otherwise */
    expect(&producer, "key-2", CREATE("2"), "\"success\"");
    expect(&producer, "key-3", CREATE("4"), "\"success\""); /* another command */
    const char *output = run_reader(0, "letter list --principal conductor");
    assert_non_null(strstr(output, "resolved"));
    expect_state(first, "resolved");
    expect_history(second, "forbidden succeeded");
    output = run_reader(0, "letter groups --json");
    json_t *group = last_object(output);
    expect_number(group, "count", 1);
    expect_member(group, "sample", third);
    json_decref(group);
    expect_state(third, "open");
    expect_output(run_operator(0, "letter replay %s --dry-run", third),
                  "would_fail\tidempotency_key_reused");
    end(&producer, worker);
}

/* --- new keys --------------------------------------------------------------------------------- */

/* Moves the letter so far back that its key has expired. */
static void expire_key(const char *id)
{
    char filter[128];
    (void)snprintf(filter, sizeof filter, "{\"_id\": \"%s\"}", id);
    change_letters(filter, "{\"$set\": {\"last_at\": {\"$date\": \"2020-01-01T00:00:00Z\"}}}", 1);
}

static void test_an_expired_key_needs_a_new_one(void **state)
{
    (void)state;
    char id[64], new_key[64];
    struct producer producer = conductor();
    pid_t worker = restart_worker(0, policy_shut);
    (void)snprintf(id, sizeof id, "%s", make_letter(&producer, "key-1", CREATE("1")));
    expire_key(id);
    const char *output = run_operator(0, "letter replay %s --dry-run", id);
    expect_output(output, "key_expired");
    expect_output(output, "--new-key");
    expect_output(run_operator(0, "letter replay %s --yes", id), "there is nothing to send");

    /* It fails: the letter is open again, and the letter of the new key is not. */
    output = run_operator(1, "letter replay %s --yes --new-key", id);
    expect_output(output, "--new-key\n");
    expect_output(output, "1 of 1 sent: 0 succeeded, 1 failed");
    json_t *letter = show_letter(id);
    (void)snprintf(new_key, sizeof new_key, "%s",
                   json_string_value(json_object_get(letter, "new_key")));
    json_decref(letter);
    expect_state(id, "open");
    expect_history(id, "forbidden replayed failed");
    assert_int_equal(count_letters("{}"), 2);
    assert_int_equal(count_letters("{\"state\": \"open\"}"), 1);
    char filter[128];
    (void)snprintf(filter, sizeof filter, "{\"key\": \"%s\", \"state\": \"resolved\"}", new_key);
    assert_int_equal(count_letters(filter), 1);

    /* Repeated: the same key, without the option, since it has not expired. */
    (void)run_operator(1, "letter replay %s --yes", id);
    letter = show_letter(id);
    expect_member(letter, "new_key", new_key);
    json_decref(letter);
    assert_int_equal(count_letters("{}"), 2);
    assert_int_equal(count_letters("{\"state\": \"open\"}"), 1);

    worker = restart_worker(worker, policy_open);
    expect_output(run_operator(0, "letter replay %s --yes", id), "1 succeeded");
    expect_history(id, "forbidden replayed failed replayed failed replayed succeeded");
    assert_int_equal(count_letters("{\"state\": \"open\"}"), 0);
    (void)run_reader(0, "outcome show %s --principal conductor", new_key);
    (void)run_reader(1, "outcome show key-1 --principal conductor");
    assert_int_equal(count_documents("providers", "{\"name\": \"host-1\"}"), 1);
    end(&producer, worker);
}

/* The broker does not take the command: the key is in the letter all the same. */
static void test_a_new_key_is_written_before_anything_is_sent(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    char first[64];
    use_policy(policy_open);
    struct letter letter = letter_of(arena, "conductor", "key-1", CREATE("1"));
    store_letters(&letter, 1);
    const char *id = letter.id.bytes;
    expire_key(id);
    set_worker("ALLOT_AMQP_QUEUE", "allot.nowhere"); /* also the routing key */
    expect_output(run_operator(1, "letter replay %s --yes --new-key", id), "unroutable");
    json_t *shown = show_letter(id);
    (void)snprintf(first, sizeof first, "%s", json_string_value(json_object_get(shown, "new_key")));
    json_decref(shown);
    assert_int_equal(strlen(first), 36);
    assert_int_equal(count_letters("{\"replay.phase\": \"sending\"}"), 1);
    const char *output = run_operator(0, "letter replay %s --dry-run", id);
    expect_output(output, "its replay was interrupted");
    char run[64];
    shown = show_letter(id);
    (void)snprintf(run, sizeof run, "%s",
                   json_string_value(json_object_get(json_object_get(shown, "replay"), "run")));
    json_decref(shown);
    (void)run_operator(1, "letter replay --continue %s --new-key", run);
    shown = show_letter(id);
    expect_member(shown, "new_key", first);
    json_decref(shown);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_a_letter_is_replayed_when_its_cause_is_removed),
        WORKER_TEST(test_a_letter_that_fails_again_is_the_same_letter),
        WORKER_TEST(test_a_recorded_failure_is_said_with_its_time),
        WORKER_TEST(test_a_letter_closes_when_its_producer_has_sent_it_again),
        WORKER_TEST(test_an_expired_key_needs_a_new_one),
        WORKER_TEST(test_a_new_key_is_written_before_anything_is_sent),
    };
    return cmocka_run_group_tests_name("worker: replayed letters", tests, NULL, NULL) != 0;
}
