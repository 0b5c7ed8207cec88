/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <stdlib.h>
#include <string.h>

#include "common/codec/settings_file.h"

static void assert_masked(const char *uri, const char *expected)
{
    struct arena *arena = arena_new(0);
    /* A copy of the exact length, so that the sanitizer sees a read beyond the end. */
    size_t length = strlen(uri);
    char *exact = malloc(length + 1);
    assert_non_null(exact);
    memcpy(exact, uri, length);
    struct text masked = settings_mask_uri(arena, text_view(exact, length));
    if (!text_is(masked, expected))
        fail_msg("%s: \"%.*s\" instead of \"%s\"", uri, TEXT_ARGS(masked), expected);
    assert_int_equal(masked.bytes[masked.length], '\0');
    assert_int_equal(settings_uri_has_secret(arena, text_of(uri)), strcmp(uri, expected) != 0);
    free(exact);
    arena_free(arena);
}

static void test_the_password_is_hidden_and_the_rest_is_not(void **state)
{
    (void)state;
    assert_masked("amqp://u:p@h:5672/v", "amqp://u:***@h:5672/v");
    assert_masked("amqps://u:p@h", "amqps://u:***@h");
    assert_masked("mongodb://u:p@h1,h2:27018,h3/d?replicaSet=r&authSource=admin",
                  "mongodb://u:***@h1,h2:27018,h3/d?replicaSet=r&authSource=admin");
    assert_masked("mongodb+srv://u:p@h/", "mongodb+srv://u:***@h/");
    assert_masked("amqp://u:@h", "amqp://u:***@h");
    assert_masked("amqp://:p@h", "amqp://:***@h");
}

static void test_a_text_without_a_password_is_unchanged(void **state)
{
    (void)state;
    static const char *const uris[] = {"amqp://h",
                                       "amqp://h:5672/v",
                                       "amqp://u@h:5672/v",
                                       "mongodb://h1:1,h2:2/d?a=b",
                                       "amqp://",
                                       "",
                                       "://",
                                       "amqp:/",
                                       "nonsense",
                                       ",",
                                       ",,",
                                       "amqp://h/a@b"};
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++)
        assert_masked(uris[i], uris[i]);
}

static void test_each_of_several_uris_is_masked(void **state)
{
    (void)state;
    assert_masked("amqp://u:p@h1/v,amqp://w:q@h2/v", "amqp://u:***@h1/v,amqp://w:***@h2/v");
    assert_masked("amqp://h1,amqps://w:q@h2,amqp://h3", "amqp://h1,amqps://w:***@h2,amqp://h3");
    assert_masked("amqp://h1:5672/v,amqp://w:q@h2", "amqp://h1:5672/v,amqp://w:***@h2");
    assert_masked("amqp://u:p@h,", "amqp://u:***@h,");
}

static void test_a_password_with_special_characters_is_hidden_whole(void **state)
{
    (void)state;
    assert_masked("amqp://u:p@q@h/v", "amqp://u:***@h/v");
    assert_masked("amqp://u:p:q@h", "amqp://u:***@h");
    assert_masked("amqp://u:p%40q%3a@h", "amqp://u:***@h");
    assert_masked("amqp://u:p/q@h/v", "amqp://u:***@h/v");
    assert_masked("amqp://u:p,q@h/v", "amqp://u:***@h/v");
    assert_masked("amqp://u:p://q@h/v", "amqp://u:***@h/v");
    assert_masked("amqp://u:p?q@h/v", "amqp://u:***@h/v");
    assert_masked("amqp://u:p#q@h,amqp://w:p/q@h", "amqp://u:***@h,amqp://w:***@h");
}

static void test_secrets_among_the_options_are_hidden_too(void **state)
{
    (void)state;
    assert_masked("mongodb://u:p@h/?tls=true&tlsCertificateKeyFilePassword=x&a=b",
                  "mongodb://u:***@h/?tls=true&tlsCertificateKeyFilePassword=***&a=b");
    assert_masked("mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:x",
                  "mongodb://h/?authMechanismProperties=***");
    assert_masked("amqp://h/?password=x,amqp://h/?PASSWORD=y",
                  "amqp://h/?password=***,amqp://h/?PASSWORD=***");
    assert_masked("mongodb://h/?&&password&password=&x=y?password=z",
                  "mongodb://h/?&&password&password=***&x=y?password=z");
}

static void test_what_is_no_uri_is_masked_rather_too_much(void **state)
{
    (void)state;
    assert_masked("u:p@h", "u:***@h");
    assert_masked("amqp:u:p@h", "amqp:***@h");
    assert_masked("amqp:/u:p@h", "amqp:***@h");
    assert_masked("://u:p@h", ":***@h");
    assert_masked("@:@:@", "@:***@");
    assert_masked(":@", ":***@");
}

static void test_the_absent_text_stays_absent(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    assert_false(text_present(settings_mask_uri(arena, TEXT_NONE)));
    assert_true(text_present(settings_mask_uri(arena, text_of(""))));
    arena_free(arena);
}

/* All texts of six characters that have a meaning: no read beyond the end, a bounded length. */
static void test_garbage_is_survived(void **state)
{
    (void)state;
    static const char alphabet[] = {':', '/', '@', ',', '?', '=', '&', 'a', '\0'};
    struct arena *arena = arena_new(0);
    for (size_t number = 0; number < 9UL * 9 * 9 * 9 * 9 * 9; number++) {
        char *exact = malloc(6);
        assert_non_null(exact);
        size_t rest = number;
        for (size_t i = 0; i < 6; i++, rest /= 9)
            exact[i] = alphabet[rest % 9];
        struct text masked = settings_mask_uri(arena, text_view(exact, 6));
        assert_true(masked.length <= 6 * 4);
        free(exact);
        if (number % 1024 == 0)
            arena_reset(arena);
    }
    arena_free(arena);
}

/* In doubt, too much is hidden rather than a secret shown. */
static void test_an_at_sign_in_the_options_leaks_nothing(void **state)
{
    (void)state;
    static const char *const uris[] = {
        "mongodb://h/?tlsCertificateKeyFilePassword=SECRET&x=a:b@c",
        "mongodb://h:27017/?appName=a@b&tlsCertificateKeyFilePassword=SECRET",
        "mongodb://h:27017/?tlsCertificateKeyFilePassword=SEC@RET",
    };
    struct arena *arena = arena_new(0);
    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        struct text masked = settings_mask_uri(arena, text_of(uris[i]));
        assert_null(strstr(masked.bytes, "SEC"));
        assert_null(strstr(masked.bytes, "RET"));
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_at_sign_in_the_options_leaks_nothing),
        cmocka_unit_test(test_the_password_is_hidden_and_the_rest_is_not),
        cmocka_unit_test(test_a_text_without_a_password_is_unchanged),
        cmocka_unit_test(test_each_of_several_uris_is_masked),
        cmocka_unit_test(test_a_password_with_special_characters_is_hidden_whole),
        cmocka_unit_test(test_secrets_among_the_options_are_hidden_too),
        cmocka_unit_test(test_what_is_no_uri_is_masked_rather_too_much),
        cmocka_unit_test(test_the_absent_text_stays_absent),
        cmocka_unit_test(test_garbage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
