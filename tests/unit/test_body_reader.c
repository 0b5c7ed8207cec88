/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what is kept of a body that arrives part by part. */
#include "tests/support/cmocka.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allot/limits.h"
#include "common/codec/body_reader.h"

enum { LARGE = BODY_BYTES_MAX + 1 };

static char *pattern(size_t length)
{
    char *bytes = malloc(length + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(i * 7 + i / 65536);
    return bytes;
}

static void add_in_parts(struct body_reader *reader, const char *bytes, size_t length, size_t part)
{
    for (size_t at = 0; at < length; at += part)
        body_reader_add(reader, bytes + at, length - at < part ? length - at : part);
}

static void test_a_body_within_the_limit_is_kept_whole(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, BODY_KEPT_BYTES, BODY_KEPT_BYTES + 1, BODY_BYTES_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct arena *arena = arena_new(0);
        struct body_reader reader;
        char *bytes = pattern(sizes[i]);
        body_reader_begin(&reader, arena, sizes[i], BODY_BYTES_MAX);
        add_in_parts(&reader, bytes, sizes[i], 131064);
        struct whole_or_cut result = body_reader_finish(&reader, arena);
        assert_true(text_equal(result.body, text_view(bytes, sizes[i])));
        assert_int_equal(result.cut_size, 0);
        assert_false(text_present(result.sha256));
        free(bytes);
        arena_free(arena);
    }
}

static void test_of_a_larger_body_the_beginning_and_the_hash_are_kept(void **state)
{
    (void)state;
    const size_t parts[] = {1000, BODY_KEPT_BYTES, 131064, LARGE};
    char *bytes = pattern(LARGE);
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char hex[2 * SHA256_DIGEST_LENGTH + 1];
    (void)SHA256((const unsigned char *)bytes, LARGE, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct arena *arena = arena_new(0);
        struct body_reader reader;
        body_reader_begin(&reader, arena, LARGE, BODY_BYTES_MAX);
        add_in_parts(&reader, bytes, LARGE, parts[i]);
        struct whole_or_cut result = body_reader_finish(&reader, arena);
        assert_true(text_equal(result.body, text_view(bytes, BODY_KEPT_BYTES)));
        assert_int_equal(result.cut_size, LARGE);
        assert_true(text_is(result.sha256, hex));
        arena_free(arena);
    }
    free(bytes);
}

static void test_an_announced_size_takes_no_memory(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct body_reader reader;
    body_reader_begin(&reader, arena, UINT64_MAX, BODY_BYTES_MAX);
    body_reader_add(&reader, "begin", 5);
    assert_in_range(arena_bytes(arena), BODY_KEPT_BYTES, 2 * BODY_KEPT_BYTES);
    assert_in_range(body_reader_bytes(UINT64_MAX, BODY_BYTES_MAX), BODY_KEPT_BYTES,
                    2 * BODY_KEPT_BYTES);
    body_reader_clear(&reader); /* the connection was lost */
    body_reader_clear(&reader);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_body_within_the_limit_is_kept_whole),
        cmocka_unit_test(test_of_a_larger_body_the_beginning_and_the_hash_are_kept),
        cmocka_unit_test(test_an_announced_size_takes_no_memory),
    };
    return cmocka_run_group_tests_name("body_reader", tests, NULL, NULL) != 0;
}
