/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests what `allotctl letter replay --dry-run` says, and what the totals are followed by: a
 * question, whose answer decides about exactly those letters. It is asked on a pseudo-terminal.
 *
 * Not here: that a replay then does what was said (test_replay_property), and the dry run itself
 * (tests/unit/test_dry_run.c, tests/desk/test_dry_run.c, tests/sim/test_one_snapshot.c).
 *
 * One test stores bodies that a worker would not have kept, and so needs no worker.
 */
#include "tests/system/worker_replay.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/worker_database.h"
#include "tests/system/worker_run.h"

enum { MORE_THAN_A_SNAPSHOT = 513, TEXT_ROOM = 1024 };

#define CREATE(number)                                                                             \
    "{\"version\":1,\"command\":\"provider.create\",\"params\":{\"uuid\":"                         \
    "\"00000000-0000-4000-8000-00000000000" number "\",\"name\":\"host-" number "\"}}"

/* --- what it says ----------------------------------------------------------------------------- */

static void test_letters_that_compete_are_not_all_promised(void **state)
{
    (void)state;
    char before[512];
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = restart_worker(0, policy_open);
    expect(&producer, "create", CREATE("0"), "\"success\"");
    expect(&producer, "inventory",
           "{\"version\":1,\"command\":\"inventory.set\",\"params\":{\"uuid\":"
           "\"00000000-0000-4000-8000-000000000000\",\"resource_provider_generation\":0,"
           "\"inventories\":{\"VCPU\":{\"total\":3}}}}",
           "\"success\"");
    struct arena *arena = arena_new(0);
    for (size_t i = 0; i < 3; i++) {
        char body[BODY_MAX], key[64];
        claim_body(body, sizeof body, i * PROVIDERS); /* 2 VCPU of the first provider */
        (void)snprintf(key, sizeof key, "claim-%zu", i);
        struct letter letter = letter_of(arena, "conductor", key, body);
        store_letters(&letter, 1);
    }
    (void)snprintf(before, sizeof before, "%s", database_hash());
    const char *output = run_operator(0, "letter replay --all --dry-run");
    expect_output(output, "VCPU=2 on 00000000-0000-4000-8000-000000000000; generation 1");
    expect_output(output, "would_fail\tcapacity_exceeded");
    expect_output(output, "3 letters: 1 would succeed, 0 already answered, 2 would fail");
    assert_string_equal(before, database_hash());
    expect_output(run_operator(1, "letter replay --all --yes"), "1 succeeded, 2 failed");
    arena_free(arena);
    client_close(producer.client);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* An open letter whose command has succeeded since: a dry run says so, and writes nothing. */
static void test_a_recorded_success_is_said_and_the_letter_is_not_sent(void **state)
{
    (void)state;
    char id[64], before[512];
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = restart_worker(0, policy_shut);
    (void)snprintf(id, sizeof id, "%s", make_letter(&producer, "key-1", CREATE("1")));
    worker = restart_worker(worker, policy_open);
    expect(&producer, "key-1", CREATE("1"), "\"success\"");
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    (void)snprintf(before, sizeof before, "%s", database_hash());
    json_t *verdict = first_object(run_operator(0, "letter replay %s --dry-run --json", id));
    expect_member(verdict, "verdict", "already_answered");
    expect_member(verdict, "code", "success");
    assert_true(json_integer_value(json_object_get(verdict, "recorded_at_ms")) > 0);
    json_decref(verdict);
    assert_string_equal(before, database_hash());
    const char *output = run_operator(0, "letter replay %s --yes", id);
    expect_output(output, "1 already answered");
    expect_output(output, "there is nothing to send");
    expect_history(id, "forbidden succeeded");
    client_close(producer.client);
}

static void test_more_letters_than_a_snapshot_has_are_planned_on_several(void **state)
{
    (void)state;
    use_policy(policy_open);
    store_claims(MORE_THAN_A_SNAPSHOT);
    const char *output = run_operator(0, "letter replay --all --dry-run | tail -n 3");
    expect_output(output, "513 letters: ");
    expect_output(output, "policy: /tmp/allot-");
    expect_output(output, "planned on 2 snapshots of up to 512 letters");
    expect_output(output, "may all be promised");
    json_t *totals =
        last_object(run_operator(0, "letter replay --all --dry-run --json | tail -n 1"));
    expect_number(totals, "snapshots", 2);
    json_decref(totals);
}

static void test_the_policy_may_be_another_one_and_is_named(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    use_policy(policy_open);
    struct letter letter = letter_of(arena, "conductor", "key-1", CREATE("1"));
    store_letters(&letter, 1);
    const char *path = write_body(policy_shut);
    const char *output = run_operator(0, "letter replay --all --dry-run --policy %s", path);
    expect_output(output, path);
    expect_output(output, "1 would fail");
    (void)unsetenv("ALLOT_POLICY_FILE");
    expect_output(run_operator(1, "letter replay --all --dry-run"), "olicy");
    expect_output(run_operator(1, "letter replay --all --yes --timeout 1ms"), "no policy is known");
    expect_output(run_operator(1, "letter replay --all --dry-run --policy /nonexistent/policy"),
                  "/nonexistent/policy");
    arena_free(arena);
}

/* --- bodies that the worker did not keep ------------------------------------------------------ */

/* Takes dead letters until that of the key, so that the journal of the test has the reason. */
static void take_dead_letter_of(const char *key)
{
    bool found = false;
    while (!found) {
        struct client_message dead = take_dead_letter();
        found = text_is(dead.properties.message_id, key);
        arena_free(dead.arena);
    }
}

static void test_a_letter_without_its_whole_body_is_not_replayable(void **state)
{
    (void)state;
    char first[64], second[64];
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    set_worker("ALLOT_LETTERS_KEEP_BODY", "false");
    pid_t worker = restart_worker(0, policy_shut);
    (void)snprintf(first, sizeof first, "%s", make_letter(&producer, "no-body", CREATE("1")));
    assert_int_equal(end_worker(worker, SIGTERM), 0);
    set_worker("ALLOT_LETTERS_KEEP_BODY", "true");
    worker = restart_worker(0, policy_shut);
    size_t length = (1024 * 1024) + 1;
    char *body = malloc(length + 1);
    assert_non_null(body);
    memset(body, 'x', length);
    body[length] = '\0';
    (void)snprintf(second, sizeof second, "%s", make_letter(&producer, "too-large", body));
    free(body);
    expect_output(run_operator(0, "letter replay %s --dry-run", first), "the letter has no body");
    expect_output(run_operator(0, "letter replay %s --dry-run", second),
                  "only the first part of the body");
    expect_output(run_operator(0, "letter replay --all --yes"), "2 not replayable");
    take_dead_letter_of("too-large");
    client_close(producer.client);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* --- the question ----------------------------------------------------------------------------- */

struct dialogue {
    pid_t pid;
    int terminal;
    char output[OUTPUT_MAX];
    size_t length;
};

static void begin_dialogue(struct dialogue *dialogue)
{
    *dialogue = (struct dialogue){0};
    dialogue->pid = forkpty(&dialogue->terminal, NULL, NULL, NULL);
    assert_true(dialogue->pid >= 0);
    if (dialogue->pid != 0)
        return;
    (void)setenv("ALLOT_AMQP_URI", getenv("ALLOT_AMQP_URI_OPERATOR"), 1);
    (void)execl(ALLOTCTL, ALLOTCTL, "letter", "replay", "--all", (char *)NULL);
    _exit(127);
}

/* Reads until the output contains the text, or, if it is NULL, until the end. */
static void read_dialogue(struct dialogue *dialogue, const char *until)
{
    while (until == NULL || strstr(dialogue->output, until) == NULL) {
        struct pollfd readable = {.fd = dialogue->terminal, .events = POLLIN};
        if (poll(&readable, 1, WAIT_MS) != 1)
            fail_msg("allotctl is silent: %s", dialogue->output);
        ssize_t got = read(dialogue->terminal, dialogue->output + dialogue->length,
                           sizeof dialogue->output - 1 - dialogue->length);
        if (got <= 0 && until != NULL)
            fail_msg("no '%s': %s", until, dialogue->output);
        if (got <= 0)
            return;
        dialogue->length += (size_t)got;
        dialogue->output[dialogue->length] = '\0';
    }
}

static int end_dialogue(struct dialogue *dialogue, const char *answer)
{
    int status = 0;
    assert_int_equal(write(dialogue->terminal, answer, strlen(answer)), strlen(answer));
    read_dialogue(dialogue, NULL);
    assert_int_equal(waitpid(dialogue->pid, &status, 0), dialogue->pid);
    assert_int_equal(close(dialogue->terminal), 0);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_the_answer_is_about_the_letters_that_were_counted(void **state)
{
    (void)state;
    static struct dialogue dialogue;
    pid_t worker = start_with_providers();
    struct arena *arena = arena_new(0);
    store_claims(2);
    begin_dialogue(&dialogue);
    read_dialogue(&dialogue, "[y/N]");
    expect_output(dialogue.output, "2 letters: 2 would succeed");
    expect_output(dialogue.output, "Send 2 commands again?");
    assert_int_equal(end_dialogue(&dialogue, "n\n"), 1);
    assert_int_equal(count_letters("{\"replay\": {\"$exists\": true}}"), 0);

    begin_dialogue(&dialogue);
    read_dialogue(&dialogue, "[y/N]");
    char body[BODY_MAX];
    claim_body(body, sizeof body, 2);
    struct letter late = letter_of(arena, "conductor", "claim-2", body);
    store_letters(&late, 1);
    assert_int_equal(end_dialogue(&dialogue, "yes\n"), 0);
    expect_output(dialogue.output, "2 of 2 sent");
    expect_output(dialogue.output, "2 of 2 sent: 2 succeeded");
    assert_int_equal(count_letters("{\"state\": \"resolved\"}"), 2);
    assert_int_equal(count_letters("{\"key\": \"claim-2\", \"state\": \"open\", \"replay\": "
                                   "{\"$exists\": false}}"),
                     1);
    arena_free(arena);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_letters_that_compete_are_not_all_promised),
        WORKER_TEST(test_a_recorded_success_is_said_and_the_letter_is_not_sent),
        WORKER_TEST(test_more_letters_than_a_snapshot_has_are_planned_on_several),
        WORKER_TEST(test_the_policy_may_be_another_one_and_is_named),
        WORKER_TEST(test_a_letter_without_its_whole_body_is_not_replayable),
        WORKER_TEST(test_the_answer_is_about_the_letters_that_were_counted),
    };
    return cmocka_run_group_tests_name("worker: dry runs", tests, NULL, NULL) != 0;
}
