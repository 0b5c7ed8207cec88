/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what is left of a URI among the arguments. The process itself is tested in
   tests/system/test_allotctl_arguments. */
#include "tests/support/cmocka.h"

#include <string.h>

#include "ctl/uri_argument.h"

/* `left` is what the argument has afterwards. */
static void check(const char *uri, const char *left)
{
    struct arena *arena = arena_new(0);
    char argument[128];
    assert_true(strlen(uri) < sizeof argument);
    strcpy(argument, uri);
    assert_string_equal(uri_argument_take(argument, "uri", arena), uri);
    assert_string_equal(argument, left);
    arena_free(arena);
}

static void test_a_password_is_overwritten_and_the_copy_has_it(void **state)
{
    (void)state;
    check("amqp://u:secret@h/v", "amqp://u:***@h/v   ");
    check("amqp://u:p@h/v", "amqp://u:***@h"); /* the mask is longer: cut */
    check("amqp://u:secret@h1,amqp://u:other@h2", "amqp://u:***@h1,amqp://u:***@h2     ");
    check("mongodb://h/?tlsCertificateKeyFilePassword=secret",
          "mongodb://h/?tlsCertificateKeyFilePassword=***   ");
}

static void test_a_uri_without_a_password_stays(void **state)
{
    (void)state;
    check("amqp://u@h/v", "amqp://u@h/v");
    check("mongodb://h1,h2/?replicaSet=r", "mongodb://h1,h2/?replicaSet=r");
    check("", "");
}

static void test_no_uri_is_none(void **state)
{
    (void)state;
    assert_null(uri_argument_take(NULL, "uri", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_password_is_overwritten_and_the_copy_has_it),
        cmocka_unit_test(test_a_uri_without_a_password_stays),
        cmocka_unit_test(test_no_uri_is_none),
    };
    return cmocka_run_group_tests_name("uri_argument", tests, NULL, NULL) != 0;
}
