/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/system/worker_run.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/worker_database.h"

enum { KEY_ROOM = 64, TICK_US = 5000, US_PER_MS = 1000 };

/* --- letters of claims ------------------------------------------------------------------------ */

void store_claims(size_t count)
{
    struct arena *arena = arena_new(0);
    struct letter *letters = ARENA_ARRAY(arena, struct letter, count);
    for (size_t i = 0; i < count; i++) {
        char body[BODY_MAX], key[KEY_ROOM];
        (void)snprintf(key, sizeof key, "claim-%zu", i);
        claim_body(body, sizeof body, i);
        letters[i] = letter_of(arena, "conductor", key, body);
    }
    store_letters(letters, count);
    arena_free(arena);
}

pid_t start_with_providers(void)
{
    struct producer producer = open_producer("ALLOT_AMQP_URI_CONDUCTOR", "conductor");
    pid_t worker = restart_worker(0, policy_open);
    make_providers(&producer);
    client_close(producer.client);
    return worker;
}

void expect_all_done(size_t count)
{
    check_database((int64_t)count, (int64_t)count + PROVIDER_OUTCOMES);
    assert_int_equal(count_letters("{\"state\": \"resolved\"}"), count);
    assert_int_equal(count_letters("{}"), count);
    (void)run_reader(0, "audit");
    expect_no_dead_letter();
}

/* --- runs in the background ------------------------------------------------------------------- */

static const char *output_path(void)
{
    static char path[64];
    (void)snprintf(path, sizeof path, "/tmp/allot-run-%d", (int)getpid());
    return path;
}

int remove_run_output(void **state)
{
    (void)state;
    (void)unlink(output_path());
    return 0;
}

pid_t start_run(const char *format, ...)
{
    char arguments[1024];
    va_list values;
    va_start(values, format);
    assert_in_range(vsnprintf(arguments, sizeof arguments, format, values), 1,
                    sizeof arguments - 1);
    va_end(values);
    return start_operator(output_path(), "%s", arguments);
}

const char *run_output(void)
{
    static char output[OUTPUT_MAX];
    FILE *file = fopen(output_path(), "re");
    assert_non_null(file);
    size_t length = fread(output, 1, sizeof output - 1, file);
    output[length] = '\0';
    (void)fclose(file);
    return output;
}

int await_run(pid_t pid)
{
    int status = 0;
    for (int waited_ms = 0; waitpid(pid, &status, WNOHANG) == 0; waited_ms += TICK_US / US_PER_MS) {
        if (waited_ms >= WAIT_MS) {
            (void)kill(pid, SIGKILL);
            fail_msg("allotctl does not end");
        }
        (void)usleep(TICK_US);
    }
    return status;
}

const char *run_of_letters(void)
{
    static char run[RUN_ROOM];
    struct found_letters found = database_letters("{\"replay.run\": {\"$exists\": true}}");
    assert_true(found.count > 0);
    json_t *letter = show_letter(found.id);
    (void)snprintf(run, sizeof run, "%s",
                   json_string_value(json_object_get(json_object_get(letter, "replay"), "run")));
    json_decref(letter);
    return run;
}

void await_letters(const char *filter, int64_t count)
{
    for (int waited_ms = 0; count_letters(filter) < count; waited_ms += TICK_US / US_PER_MS) {
        if (waited_ms >= WAIT_MS)
            fail_msg("no %d letters fit %s", (int)count, filter);
        (void)usleep(TICK_US);
    }
}
