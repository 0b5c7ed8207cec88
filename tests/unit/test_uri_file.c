/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/amqp/uri_file.h"

enum { HANG_S = 60 }; /* after that a call that must not wait has failed: the process is killed */

struct fixture {
    struct arena *arena;
    char path[64];
    struct login_options login;
    struct uri_file file;
    unsigned failed, read; /* notices */
    struct error last;
};

static void notify(void *context, enum amqp_notice notice, const char *text)
{
    struct fixture *fixture = context;
    fixture->failed += notice == AMQP_URI_FILE_FAILED;
    fixture->read += notice == AMQP_URI_FILE_READ;
    error_set(&fixture->last, "%s", text);
}

static void write_file(const struct fixture *fixture, const char *content)
{
    FILE *file = fopen(fixture->path, "we");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    static const struct amqp_tls no_tls = {0};
    struct text uri = text_of("amqp://u:first@h1");
    fixture->arena = arena_new(0);
    strcpy(fixture->path, "/tmp/allot-uri-XXXXXX");
    int fd = mkstemp(fixture->path);
    assert_true(fd >= 0 && close(fd) == 0);
    assert_true(login_options_read(uri, &no_tls, fixture->arena, &fixture->login, NULL));
    uri_file_init(&fixture->file, text_of(fixture->path), uri, fixture->arena,
                  (struct amqp_observer){notify, fixture});
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    (void)unlink(fixture->path);
    arena_free(fixture->arena);
    free(fixture);
    return 0;
}

static void refresh(struct fixture *fixture, const char *content)
{
    write_file(fixture, content);
    uri_file_refresh(&fixture->file, &fixture->login);
}

static bool uses(const struct fixture *fixture, const char *password)
{
    return text_is(fixture->login.hosts.hosts[0].password, password);
}

static void test_a_changed_uri_is_used_and_told_once(void **state)
{
    struct fixture *fixture = *state;
    refresh(fixture, "amqp://u:first@h1\n");
    assert_true(uses(fixture, "first"));
    assert_int_equal(fixture->read, 0);
    refresh(fixture, "amqp://u:second@h1,amqp://u:second@h2\n");
    refresh(fixture, "amqp://u:second@h1,amqp://u:second@h2");
    assert_true(uses(fixture, "second"));
    assert_int_equal(fixture->login.hosts.count, 2);
    assert_int_equal(fixture->read, 1);
    assert_int_equal(fixture->failed, 0);
}

static void test_an_unusable_file_leaves_the_last_good_uri_and_is_told_once(void **state)
{
    static const char *const unusable[] = {"", "secret", "amqp://u:secret@h1,amqps://u:secret@h2",
                                           "amqp://u@h1", "amqp://u:secret@"};
    struct fixture *fixture = *state;
    refresh(fixture, "amqp://u:second@h1");
    for (unsigned i = 0; i < sizeof unusable / sizeof unusable[0]; i++) {
        fixture->failed = 0;
        refresh(fixture, unusable[i]);
        refresh(fixture, unusable[i]);
        assert_true(uses(fixture, "second"));
        assert_null(strstr(fixture->last.text, "secret"));
        assert_in_range(fixture->failed, i > 1 ? 1 : 0, 1); /* two have one reason in common */
    }
    refresh(fixture, "amqp://u:second@h1");
    assert_int_equal(fixture->read, 2);
    fixture->failed = 0;
    assert_int_equal(unlink(fixture->path), 0);
    uri_file_refresh(&fixture->file, &fixture->login);
    uri_file_refresh(&fixture->file, &fixture->login);
    assert_int_equal(fixture->failed, 1);
    assert_non_null(strstr(fixture->last.text, fixture->path));
    assert_true(uses(fixture, "second"));
}

/* The file was replaced while the worker runs: its next connect must not wait for a writer. */
static void test_a_fifo_in_place_of_the_file_leaves_the_last_good_uri(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(mkfifo(fixture->path, S_IRUSR | S_IWUSR), 0);
    (void)alarm(HANG_S);
    uri_file_refresh(&fixture->file, &fixture->login);
    (void)alarm(0);
    assert_true(uses(fixture, "first"));
    assert_int_equal(fixture->failed, 1);
    assert_non_null(strstr(fixture->last.text, "FIFO"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_changed_uri_is_used_and_told_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_an_unusable_file_leaves_the_last_good_uri_and_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_fifo_in_place_of_the_file_leaves_the_last_good_uri,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests_name("uri_file", tests, NULL, NULL) != 0;
}
