/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests which files are read, and that none blocks: a FIFO without a writer, a device without end,
 * a file above its limit. A call that blocks is ended by SIGALRM, which fails the program.
 */
#include "tests/support/cmocka.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/amqp/client.h"
#include "common/host/file.h"

enum { HANG_S = 60, LIMIT = 8 };

struct fixture {
    struct arena *arena;
    char folder[32];
    char path[64]; /* in the folder; does not exist yet */
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    strcpy(fixture->folder, "/tmp/allot-file-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    (void)snprintf(fixture->path, sizeof fixture->path, "%s/file", fixture->folder);
    fixture->arena = arena_new(0);
    (void)alarm(HANG_S);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    (void)alarm(0);
    (void)unlink(fixture->path);
    assert_int_equal(rmdir(fixture->folder), 0);
    arena_free(fixture->arena);
    free(fixture);
    return 0;
}

static void write_bytes(const struct fixture *fixture, size_t count)
{
    FILE *file = fopen(fixture->path, "we");
    assert_non_null(file);
    for (size_t i = 0; i < count; i++)
        assert_int_not_equal(fputc('x', file), EOF);
    assert_int_equal(fclose(file), 0);
}

static bool reads(struct fixture *fixture, const char *path, struct text *ret_content)
{
    bool read = file_read(path, LIMIT, fixture->arena, ret_content, &fixture->error);
    assert_int_equal(read, file_check(path, LIMIT, NULL));
    return read;
}

/* Neither function takes the file; both errors name it. */
static void assert_refused(struct fixture *fixture, const char *path, const char *why)
{
    struct text content;
    struct error error = {""};
    assert_false(reads(fixture, path, &content));
    assert_false(file_check(path, LIMIT, &error));
    assert_string_equal(fixture->error.text,
                        text_format(fixture->arena, "%s: %s", path, why).bytes);
    assert_string_equal(error.text, fixture->error.text);
}

static void test_a_file_up_to_the_limit_is_read_with_a_nul_behind_it(void **state)
{
    struct fixture *fixture = *state;
    for (size_t size = 0; size <= LIMIT; size += LIMIT / 2) {
        struct text content = TEXT_NONE;
        write_bytes(fixture, size);
        assert_true(reads(fixture, fixture->path, &content));
        assert_int_equal(content.length, size);
        assert_int_equal(strlen(content.bytes), size);
    }
}

static void test_a_file_above_the_limit_is_an_error_with_size_and_limit(void **state)
{
    struct fixture *fixture = *state;
    write_bytes(fixture, LIMIT + 2);
    assert_refused(fixture, fixture->path, "file too large: at least 10 bytes (limit 8)");
}

/* Its size is 0 for fstat(). */
static void test_a_file_of_proc_has_the_same_limit(void **state)
{
    struct fixture *fixture = *state;
    struct text content;
    assert_false(file_read("/proc/self/status", LIMIT, fixture->arena, &content, &fixture->error));
    assert_string_equal(fixture->error.text,
                        "/proc/self/status: file too large: at least 9 bytes (limit 8)");
    assert_true(file_read("/proc/self/status", FILE_VALUE_BYTES_MAX, fixture->arena, &content,
                          &fixture->error));
    assert_non_null(strstr(content.bytes, "VmPeak"));
}

static void test_a_fifo_is_refused_at_once_with_and_without_a_writer(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(mkfifo(fixture->path, S_IRUSR | S_IWUSR), 0);
    assert_refused(fixture, fixture->path, "not a regular file, but a pipe (FIFO)");
    int writer = open(fixture->path, O_RDWR | O_CLOEXEC);
    assert_refused(fixture, fixture->path, "not a regular file, but a pipe (FIFO)");
    (void)close(writer);
}

static void test_devices_and_folders_are_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_refused(fixture, "/dev/zero", "not a regular file, but a character device");
    assert_refused(fixture, "/dev/null", "not a regular file, but a character device");
    assert_refused(fixture, fixture->folder, "not a regular file, but a directory");
    assert_refused(fixture, fixture->path, "No such file or directory");
}

/* OpenSSL opens these files; the first is checked before there is a connection. */
static void test_the_tls_files_of_the_broker_are_checked(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(mkfifo(fixture->path, S_IRUSR | S_IWUSR), 0);
    struct text path = text_of(fixture->path), none = TEXT_NONE;
    const struct amqp_tls files[] = {{path, none, none}, {none, path, none}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_null(client_open(text_of("amqps://u:p@localhost:1"), &files[i], &fixture->error));
        assert_non_null(strstr(fixture->error.text, fixture->path));
        assert_non_null(strstr(fixture->error.text, "FIFO"));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_file_up_to_the_limit_is_read_with_a_nul_behind_it),
        TEST(test_a_file_above_the_limit_is_an_error_with_size_and_limit),
        TEST(test_a_file_of_proc_has_the_same_limit),
        TEST(test_a_fifo_is_refused_at_once_with_and_without_a_writer),
        TEST(test_devices_and_folders_are_refused),
        TEST(test_the_tls_files_of_the_broker_are_checked),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, NULL) != 0;
}
