/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. The policy file of the running program is made by the first use_policy(), and overwritten
 * by each later one. Letters that no worker made are stored through the storage port, with what
 * common/codec/letter_build.h makes of the command.
 *
 * run_operator() and run_reader() run allotctl with the URIs that an operator has, or a reader of
 * the database; expect_...() functions end the test with what was printed.
 */
#include "tests/system/worker_replay.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/codec/letter_build.h"
#include "common/codec/policy_file.h"
#include "common/host/system_clock.h"
#include "common/mongo/libmongoc.h"
#include "common/mongo/mongo_store.h"
#include "tests/support/desk_letters.h"
#include "tests/system/worker_database.h"

extern char **environ;

enum { ARGUMENTS_MAX = 4096, PAUSE_US = 20000 };

#define ALLOW_ALL "    allow:\n      - {commands: ['*'], projects: ['*'], providers: ['*']}\n"

const char policy_open[] = "version: 1\n"
                           "principals:\n"
                           "  - name: conductor\n" ALLOW_ALL "    reply_to: ['conductor.*']\n"
                           "  - name: team-blue\n" ALLOW_ALL "    reply_to: ['team-blue.*']\n";
const char policy_shut[] = "version: 1\n"
                           "principals:\n"
                           "  - name: conductor\n"
                           "    allow: []\n"
                           "    reply_to: ['conductor.*']\n"
                           "  - name: team-blue\n"
                           "    allow: []\n"
                           "    reply_to: ['team-blue.*']\n";

/* --- policies --------------------------------------------------------------------------------- */

static char policy_path[64];
static char body_path[64];

static void remove_files(void)
{
    (void)unlink(policy_path);
    (void)unlink(body_path);
}

/* Writes a file, and chooses its name when it is called for the first time. */
static void write_file(char path[64], const char *content)
{
    if (*path == '\0') {
        (void)snprintf(path, 64, "/tmp/allot-replay-XXXXXX");
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
        (void)atexit(remove_files);
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

void use_policy(const char *content)
{
    write_file(policy_path, content);
    if (getenv("ALLOT_POLICY_FILE") == NULL ||
        strcmp(getenv("ALLOT_POLICY_FILE"), policy_path) != 0)
        set_worker("ALLOT_POLICY_FILE", policy_path);
}

const char *write_body(const char *content)
{
    write_file(body_path, content);
    return body_path;
}

pid_t restart_worker(pid_t worker, const char *content)
{
    if (worker != 0)
        assert_int_equal(end_worker(worker, SIGTERM), 0);
    use_policy(content);
    return start_worker();
}

/* --- commands --------------------------------------------------------------------------------- */

void send_unanswered(struct producer *producer, const char *key, const char *body)
{
    struct outgoing command = command_message(key, NULL, body);
    assert_int_equal(publish(producer, &command), CLIENT_CONFIRMED);
}

const char *await_letter(const char *key)
{
    static struct found_letters found;
    char filter[256];
    (void)snprintf(filter, sizeof filter, "{\"key\": \"%s\", \"state\": \"open\"}", key);
    await_stored_letters(filter, 1);
    found = database_letters(filter);
    return found.id;
}

const char *make_letter(struct producer *producer, const char *key, const char *body)
{
    send_unanswered(producer, key, body);
    return await_letter(key);
}

/* --- letters without a worker ----------------------------------------------------------------- */

/* The policy only says which principals there are. Read once. */
static const struct policy *open_policy(void)
{
    static struct policy policy;
    static struct arena *arena;
    struct error error = {""};
    if (arena != NULL)
        return &policy;
    arena = arena_new(0);
    if (!policy_read(text_of(policy_open), "policy", arena, &policy, &error))
        fail_msg("%s", error.text);
    return &policy;
}

struct letter letter_of(struct arena *arena, const char *principal, const char *key,
                        const char *body)
{
    const struct desk_world world = {.policy = open_policy(), .arena = arena};
    struct delivery delivery = desk_delivery(principal, key, body);
    struct decoded decoded;
    desk_decode(&world, &delivery, &decoded);
    const struct letter_cause cause = {.source = LETTER_SOURCE_WORKER,
                                       .reason = text_of("forbidden"),
                                       .detail = text_of("the policy does not allow it"),
                                       .queue = text_of("allot.commands"),
                                       .worker = text_of("w-1"),
                                       .at_ms = 1700000000000};
    struct letter letter = letter_build(arena, &delivery, &decoded, &cause);
    letter.times = 1;
    letter.published = true; /* so no worker publishes its dead letter */
    return letter_copy(arena, &letter);
}

void change_letters(const char *filter, const char *update, int64_t count)
{
    bson_t query, operators, reply;
    bson_error_t error;
    bson_iter_t iter;
    if (!bson_init_from_json(&query, filter, -1, &error) ||
        !bson_init_from_json(&operators, update, -1, &error))
        fail_msg("%s", error.message);
    mongoc_client_t *client = mongoc_client_new(getenv("ALLOT_MONGODB_URI"));
    mongoc_collection_t *letters =
        mongoc_client_get_collection(client, fixture_database(), "letters");
    if (!mongoc_collection_update_many(letters, &query, &operators, NULL, &reply, &error))
        fail_msg("%s", error.message);
    assert_true(bson_iter_init_find(&iter, &reply, "matchedCount"));
    assert_int_equal(bson_iter_as_int64(&iter), count);
    mongoc_collection_destroy(letters);
    mongoc_client_destroy(client);
    bson_destroy(&reply);
    bson_destroy(&operators);
    bson_destroy(&query);
}

/* --- allotctl --------------------------------------------------------------------------------- */

const char *run_operator(int status, const char *format, ...)
{
    char arguments[ARGUMENTS_MAX];
    va_list values;
    va_start(values, format);
    assert_in_range(vsnprintf(arguments, sizeof arguments, format, values), 1,
                    sizeof arguments - 1);
    va_end(values);
    return run_allotctl_as("ALLOT_AMQP_URI_OPERATOR", arguments, status);
}

const char *run_reader(int status, const char *format, ...)
{
    char arguments[ARGUMENTS_MAX];
    va_list values;
    va_start(values, format);
    assert_in_range(vsnprintf(arguments, sizeof arguments, format, values), 1,
                    sizeof arguments - 1);
    va_end(values);
    return run_allotctl(arguments, status);
}

pid_t start_operator(const char *output_path, const char *format, ...)
{
    char arguments[ARGUMENTS_MAX], script[2 * ARGUMENTS_MAX], shell[] = "sh", flag[] = "-c";
    va_list values;
    va_start(values, format);
    assert_in_range(vsnprintf(arguments, sizeof arguments, format, values), 1,
                    sizeof arguments - 1);
    va_end(values);
    (void)snprintf(script, sizeof script,
                   "ALLOT_AMQP_URI=\"$ALLOT_AMQP_URI_OPERATOR\" exec '%s' %s", ALLOTCTL, arguments);
    char *vector[] = {shell, flag, script, NULL};
    pid_t pid = 0;
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output_path,
                                                      O_WRONLY | O_CREAT | O_TRUNC, 0600),
                     0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO), 0);
    assert_int_equal(posix_spawnp(&pid, "sh", &actions, NULL, vector, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    return pid;
}

void expect_output(const char *output, const char *part)
{
    if (strstr(output, part) == NULL)
        fail_msg("no '%s' in: %s", part, output);
}

void expect_no_output(const char *output, const char *part)
{
    if (strstr(output, part) != NULL)
        fail_msg("'%s' in: %s", part, output);
}

static json_t *read_object(const char *line, size_t length)
{
    json_error_t error;
    json_t *object = json_loadb(line, length, JSON_ALLOW_NUL, &error);
    if (object == NULL)
        fail_msg("%s: %.*s", error.text, (int)length, line);
    return object;
}

json_t *first_object(const char *output)
{
    return read_object(output, strcspn(output, "\n"));
}

json_t *last_object(const char *output)
{
    size_t end = strlen(output);
    while (end > 0 && output[end - 1] == '\n')
        end--;
    size_t start = end;
    while (start > 0 && output[start - 1] != '\n')
        start--;
    return read_object(output + start, end - start);
}

json_t *show_letter(const char *id)
{
    return last_object(run_reader(0, "letter show %s --json", id));
}

void expect_member(const json_t *object, const char *name, const char *text)
{
    const json_t *member = json_object_get(object, name);
    assert_non_null(member);
    if (text == NULL) {
        assert_true(json_is_null(member));
        return;
    }
    if (!json_is_string(member))
        fail_msg("%s is no text", name);
    assert_string_equal(json_string_value(member), text);
}

void expect_number(const json_t *object, const char *name, json_int_t number)
{
    const json_t *member = json_object_get(object, name);
    if (!json_is_integer(member) || json_integer_value(member) != number)
        fail_msg("%s is %lld, expected %lld", name, (long long)json_integer_value(member),
                 (long long)number);
}

void expect_state(const char *id, const char *wanted)
{
    json_t *letter = show_letter(id);
    expect_member(letter, "state", wanted);
    json_decref(letter);
}

void expect_history(const char *id, const char *entries)
{
    char found[1024] = "";
    json_t *letter = show_letter(id);
    const json_t *history = json_object_get(letter, "history"), *event = NULL;
    size_t index;
    json_array_foreach(history, index, event)
    {
        const char *action = json_string_value(json_object_get(event, "action"));
        const char *name =
            action != NULL ? action : json_string_value(json_object_get(event, "reason"));
        size_t length = strlen(found);
        (void)snprintf(found + length, sizeof found - length, "%s%s", length > 0 ? " " : "", name);
    }
    json_decref(letter);
    assert_string_equal(found, entries);
}
