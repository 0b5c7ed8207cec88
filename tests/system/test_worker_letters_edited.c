/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests `allotctl letter edit` with a real worker: what
 * the editor does, what is sent, and how both letters name each other.
 *
 * EDITOR is a shell command of the test. A letter is made by a command that fails, since its
 * provider exists; what is sent in its place creates another one.
 *
 * Not here: the message itself (test_worker_replay.c).
 */
#include "tests/system/worker_replay.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/worker_database.h"

#define CREATE_OF(number, name)                                                                    \
    "{\"version\":1,\"command\":\"provider.create\",\"params\":{\"uuid\":"                         \
    "\"00000000-0000-4000-8000-00000000000" number "\",\"name\":\"" name "\"}}"
#define CREATE(number) CREATE_OF(number, "host-" number)

enum { ID_ROOM = 64, PATH_ROOM = 64 };

static struct producer conductor(void)
{
    return open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
}

/* Makes a letter: the provider exists already. */
static void make_failed(struct producer *producer, char *ret_id)
{
    expect(producer, "first", CREATE("1"), "\"success\"");
    (void)snprintf(ret_id, ID_ROOM, "%s", make_letter(producer, "key-1", CREATE("1")));
}

static void end(struct producer *producer, pid_t worker)
{
    client_close(producer->client);
    assert_int_equal(end_worker(worker, SIGTERM), 0);
}

/* Returns a text member of the letter; static. */
static const char *member(const char *id, const char *name)
{
    static char text[256];
    json_t *letter = show_letter(id);
    const char *value = json_string_value(json_object_get(letter, name));
    (void)snprintf(text, sizeof text, "%s", value != NULL ? value : "");
    json_decref(letter);
    return text;
}

/* EDITOR is a shell command: the path of the file is its last argument. */
static void test_the_editor_changes_the_body_and_both_letters_are_linked(void **state)
{
    (void)state;
    char id[ID_ROOM], edited_to[ID_ROOM], key[ID_ROOM];
    struct producer producer = conductor();
    pid_t worker = restart_worker(0, policy_open);
    make_failed(&producer, id);
    set_worker("EDITOR", "sed -i -e s/000000000001/000000000002/ -e s/host-1/host-2/");
    expect_output(run_operator(0, "letter edit %s --yes", id), "sent under the key ");
    (void)snprintf(key, sizeof key, "%s", member(id, "edited_key"));
    await_document("providers", "{\"name\": \"host-2\"}");
    expect_state(id, "resolved");
    expect_history(id, "provider_exists edited succeeded");
    (void)run_reader(0, "outcome show %s --principal conductor", key);
    assert_int_equal(count_letters("{}"), 1);
    assert_int_equal(count_documents("providers", "{\"name\": \"host-1\"}"), 1);

    /* The edited command fails: it has a letter of its own. */
    (void)run_reader(0, "letter reopen %s --yes", id);
    expect_state(id, "open"); /* and stays so, whatever the first edit has become */
    const char *path = write_body(CREATE_OF("3", "host-1"));
    (void)run_operator(0, "letter edit %s --yes --body %s", id, path);
    (void)snprintf(edited_to, sizeof edited_to, "%s", member(id, "edited_to"));
    char filter[128];
    (void)snprintf(filter, sizeof filter, "{\"_id\": \"%s\"}", edited_to);
    await_stored_letters(filter, 1);
    expect_state(edited_to, "open");
    json_t *child = show_letter(edited_to);
    expect_member(child, "reason", "provider_name_taken");
    json_decref(child);
    expect_state(id, "resolved");
    expect_output(run_reader(0, "letter show %s", id), edited_to);
    end(&producer, worker);
}

static void test_a_body_that_is_no_command_is_not_sent(void **state)
{
    (void)state;
    char id[ID_ROOM];
    struct producer producer = conductor();
    pid_t worker = restart_worker(0, policy_open);
    make_failed(&producer, id);
    const char *path = write_body("{\"version\":1,\"command\":\"provider.create\",\"params\":"
                                  "{\"uuid\":\"no uuid\",\"name\":\"x\"}}");
    const char *output = run_operator(1, "letter edit %s --yes --body %s", id, path);
    expect_output(output, "invalid");
    expect_output(output, "/params/uuid");
    output = run_operator(1, "letter edit %s --yes --body %s", id, write_body("{nonsense"));
    expect_output(output, "malformed");
    set_worker("EDITOR", "sed -i s/provider.create/nothing.create/");
    output = run_operator(1, "letter edit %s --yes </dev/null", id);
    expect_output(output, "the edited body is in /");
    const char *kept = strstr(output, "body is in ") + strlen("body is in ");
    char kept_path[PATH_ROOM];
    (void)snprintf(kept_path, sizeof kept_path, "%.*s", (int)strcspn(kept, "; \n"), kept);
    struct stat status;
    assert_int_equal(stat(kept_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(unlink(kept_path), 0);
    expect_state(id, "open");
    expect_history(id, "provider_exists");
    end(&producer, worker);
}

static void test_without_a_change_or_an_editor_nothing_is_sent(void **state)
{
    (void)state;
    char id[ID_ROOM];
    struct producer producer = conductor();
    pid_t worker = restart_worker(0, policy_open);
    make_failed(&producer, id);
    set_worker("EDITOR", "true");
    expect_output(run_operator(1, "letter edit %s --yes", id), "was not changed");
    set_worker("EDITOR", "echo >>");
    const char *output = run_operator(1, "letter edit %s --yes", id);
    expect_output(output, "was not changed");
    assert_null(strstr(output, "the edited body is in")); /* the file is removed */
    set_worker("EDITOR", "/nonexistent/editor");
    expect_output(run_operator(1, "letter edit %s --yes", id), "EDITOR");
    set_worker("VISUAL", "false");
    expect_output(run_operator(1, "letter edit %s --yes", id), "the editor 'false' failed");
    expect_output(
        run_operator(1, "letter edit %s --body %s </dev/null", id, write_body(CREATE("2"))),
        "give --yes");
    expect_history(id, "provider_exists");
    end(&producer, worker);
}

/* The user had the file open when the producer sent the command again, with success. */
static void test_a_command_that_has_succeeded_since_is_not_edited(void **state)
{
    (void)state;
    char id[ID_ROOM];
    struct producer producer = conductor();
    pid_t worker = restart_worker(0, policy_shut);
    (void)snprintf(id, sizeof id, "%s", make_letter(&producer, "key-1", CREATE("1")));
    worker = restart_worker(worker, policy_open);
    expect(&producer, "key-1", CREATE("1"), "\"success\"");
    const char *path = write_body(CREATE("2"));
    expect_output(run_operator(1, "letter edit %s --yes --body %s", id, path),
                  "the letter is resolved");
    expect_history(id, "forbidden succeeded");
    assert_int_equal(count_documents("providers", "{\"name\": \"host-2\"}"), 0);
    end(&producer, worker);
}

/* Interrupted between the mark and the publish: the same key, which takes effect once. */
static void test_an_interrupted_edit_can_be_repeated(void **state)
{
    (void)state;
    char id[ID_ROOM], key[ID_ROOM];
    struct producer producer = conductor();
    pid_t worker = restart_worker(0, policy_open);
    make_failed(&producer, id);
    const char *path = write_body(CREATE("2"));
    set_worker("ALLOT_AMQP_QUEUE", "allot.nowhere");
    expect_output(run_operator(1, "letter edit %s --yes --body %s", id, path), "unroutable");
    (void)unsetenv("ALLOT_AMQP_QUEUE");
    (void)snprintf(key, sizeof key, "%s", member(id, "edited_key"));
    assert_int_equal(strlen(key), 36);
    expect_state(id, "replayed");
    expect_output(run_operator(0, "letter replay %s --dry-run", id), "not_replayable");
    (void)run_operator(0, "letter edit %s --yes --body %s", id, path);
    assert_string_equal(member(id, "edited_key"), key);
    await_document("providers", "{\"name\": \"host-2\"}");
    expect_state(id, "resolved");
    /* Nor can it be edited twice. */
    expect_output(run_operator(1, "letter edit %s --yes --body %s", id, path),
                  "the letter is resolved");
    end(&producer, worker);
}

/* A letter that was edited and opened again is judged by its own command. */
static void test_the_original_can_be_replayed_after_an_edit(void **state)
{
    (void)state;
    char id[ID_ROOM];
    struct producer producer = conductor();
    pid_t worker = restart_worker(0, policy_shut);
    (void)snprintf(id, sizeof id, "%s", make_letter(&producer, "key-1", CREATE("1")));
    worker = restart_worker(worker, policy_open);
    (void)run_operator(0, "letter edit %s --yes --body %s", id, write_body(CREATE("2")));
    await_document("providers", "{\"name\": \"host-2\"}");
    expect_state(id, "resolved");
    (void)run_reader(0, "letter reopen %s --yes", id);
    assert_non_null(strstr(run_reader(0, "letter list --state open"), "forbidden"));
    expect_output(run_operator(0, "letter replay %s --yes", id), "1 succeeded");
    assert_int_equal(count_documents("providers", "{\"name\": \"host-1\"}"), 1);
    expect_history(id, "forbidden edited succeeded reopened replayed succeeded");
    end(&producer, worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_the_editor_changes_the_body_and_both_letters_are_linked),
        WORKER_TEST(test_a_body_that_is_no_command_is_not_sent),
        WORKER_TEST(test_without_a_change_or_an_editor_nothing_is_sent),
        WORKER_TEST(test_a_command_that_has_succeeded_since_is_not_edited),
        WORKER_TEST(test_an_interrupted_edit_can_be_repeated),
        WORKER_TEST(test_the_original_can_be_replayed_after_an_edit),
    };
    return cmocka_run_group_tests_name("worker: edited letters", tests, NULL, NULL) != 0;
}
