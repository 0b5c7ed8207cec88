/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "common/codec/amqp_uri.h"

static int set_up(void **state)
{
    *state = arena_new(0);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static struct amqp_hosts parse(struct arena *arena, const char *uri)
{
    struct amqp_hosts hosts = {0};
    struct error error;
    if (!amqp_uri_parse(text_of(uri), arena, &hosts, &error))
        fail_msg("%s: %s", uri, error.text);
    return hosts;
}

static void assert_host(const struct amqp_host *host, const char *name, uint16_t port,
                        const char *user, const char *password, const char *vhost)
{
    assert_string_equal(host->name.bytes, name);
    assert_int_equal(host->port, port);
    assert_true(text_present(host->user) == (user != NULL));
    if (user != NULL)
        assert_string_equal(host->user.bytes, user);
    assert_true(text_present(host->password) == (password != NULL));
    if (password != NULL)
        assert_string_equal(host->password.bytes, password);
    assert_string_equal(host->vhost.bytes, vhost);
}

static void test_all_parts_are_read_and_decoded(void **state)
{
    struct amqp_hosts hosts =
        parse(*state, "amqp://us%65r:p%40%3a%2F%2cw@broker.example:5673/%2fa%20b");
    assert_int_equal(hosts.count, 1);
    assert_false(hosts.hosts[0].tls);
    assert_host(&hosts.hosts[0], "broker.example", 5673, "user", "p@:/,w", "/a b");
}

static void test_what_is_left_out_has_its_default(void **state)
{
    struct amqp_hosts plain = parse(*state, "amqp://broker");
    assert_host(&plain.hosts[0], "broker", 5672, NULL, NULL, "/");
    struct amqp_hosts tls = parse(*state, "amqps://worker@broker/");
    assert_true(tls.hosts[0].tls);
    assert_host(&tls.hosts[0], "broker", 5671, "worker", NULL, "/");
    struct amqp_hosts empty = parse(*state, "amqp://u:@broker/%2f");
    assert_host(&empty.hosts[0], "broker", 5672, "u", "", "/");
}

static void test_an_ipv6_address_stands_in_brackets(void **state)
{
    struct amqp_hosts hosts = parse(*state, "amqp://u:p@[::1]:5673,[fe80::2]/v");
    assert_int_equal(hosts.count, 2);
    assert_host(&hosts.hosts[0], "::1", 5673, "u", "p", "v");
    assert_host(&hosts.hosts[1], "fe80::2", 5672, "u", "p", "v");
}

static void test_several_hosts_share_user_and_virtual_host(void **state)
{
    struct amqp_hosts hosts = parse(*state, "amqp://u:p@h1:1,h2,h3:3/v");
    assert_int_equal(hosts.count, 3);
    assert_host(&hosts.hosts[0], "h1", 1, "u", "p", "v");
    assert_host(&hosts.hosts[1], "h2", 5672, "u", "p", "v");
    assert_host(&hosts.hosts[2], "h3", 3, "u", "p", "v");
}

static void test_several_uris_are_each_their_own(void **state)
{
    struct amqp_hosts hosts = parse(*state, "amqps://u:p@h1:1/v,amqps://x:y@h2,h3/w,amqps://h4");
    assert_int_equal(hosts.count, 4);
    assert_host(&hosts.hosts[0], "h1", 1, "u", "p", "v");
    assert_host(&hosts.hosts[1], "h2", 5671, "x", "y", "w");
    assert_host(&hosts.hosts[2], "h3", 5671, "x", "y", "w");
    assert_true(hosts.hosts[2].tls);
    assert_host(&hosts.hosts[3], "h4", 5671, NULL, NULL, "/");
    assert_true(hosts.hosts[3].tls);
}

/* Otherwise a broker that does not answer on its TLS port would be enough to get the password. */
static void test_a_list_with_tls_never_falls_back_to_plain_text(void **state)
{
    static const struct {
        const char *uri;
        const char *named;
    } mixed[] = {
        {"amqps://u:secret@h1,amqp://u:secret@h2", "entry 2 (h2)"},
        {"amqp://u:secret@h1/v,amqps://u:secret@h2/v", "entry 1 (h1)"},
        {"amqps://u:secret@h1,h2/v,amqps://h3,amqp://u:secret@h4:5671,h5", "entry 3 (h4)"},
        {"amqps://h1,amqp://[::1]", "entry 2 (::1)"},
    };
    struct amqp_hosts hosts;
    for (size_t i = 0; i < sizeof mixed / sizeof mixed[0]; i++) {
        struct error error = {""};
        if (amqp_uri_parse(text_of(mixed[i].uri), *state, &hosts, &error))
            fail_msg("accepted: %s", mixed[i].uri);
        if (strstr(error.text, mixed[i].named) == NULL)
            fail_msg("%s: %s", mixed[i].uri, error.text);
        assert_null(strstr(error.text, "secret"));
    }
    assert_int_equal(parse(*state, "amqp://h1,amqp://h2").count, 2);
    assert_int_equal(parse(*state, "amqps://h1,amqps://h2").count, 2);
}

static void test_malformed_uris_are_refused_and_never_quoted(void **state)
{
    static const char *const invalid[] = {
        "",
        "amqp:",
        "amqp://",
        "http://u:secret@h",
        "amqp://u:secret@",
        "amqp://u:secret@h,",
        "amqp://u:secret@,h",
        "amqp://u:secret@h:",
        "amqp://u:secret@h:0",
        "amqp://u:secret@h:65536",
        "amqp://u:secret@h:+1",
        "amqp://u:secret@h:1x",
        "amqp://u:secret@h:000001",
        "amqp://u:secret@h%",
        "amqp://u:secret%4@h",
        "amqp://u:secret%zz@h",
        "amqp://u:secret%00@h",
        "amqp://u:sec@ret@h",
        "amqp://:secret@h",
        "amqp://u:secret@[::1",
        "amqp://u:secret@[::1]x",
        "amqp://u:secret@[]",
        "amqp://u:secret@h/%2",
        "amqp://u:secret@h/v?heartbeat=5",
        "amqp://u:secret@h#x",
        "amqp://u:secret@h/v,h2",
    };
    struct amqp_hosts hosts;
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        struct error error = {""};
        if (amqp_uri_parse(text_of(invalid[i]), *state, &hosts, &error))
            fail_msg("accepted: %s", invalid[i]);
        assert_true(strlen(error.text) > 0);
        assert_null(strstr(error.text, "sec"));
    }
}

static void test_a_nul_is_refused(void **state)
{
    struct amqp_hosts hosts;
    assert_false(amqp_uri_parse(text_view("amqp://h\0x", 10), *state, &hosts, NULL));
}

static void test_the_number_of_hosts_has_a_bound(void **state)
{
    char uri[16 + 2 * (AMQP_HOSTS_MAX + 1)] = "amqp://h";
    for (int i = 1; i < AMQP_HOSTS_MAX; i++)
        strcat(uri, ",h");
    assert_int_equal(parse(*state, uri).count, AMQP_HOSTS_MAX);
    strcat(uri, ",h");
    struct amqp_hosts hosts;
    assert_false(amqp_uri_parse(text_of(uri), *state, &hosts, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_parts_are_read_and_decoded),
        cmocka_unit_test(test_what_is_left_out_has_its_default),
        cmocka_unit_test(test_an_ipv6_address_stands_in_brackets),
        cmocka_unit_test(test_several_hosts_share_user_and_virtual_host),
        cmocka_unit_test(test_several_uris_are_each_their_own),
        cmocka_unit_test(test_a_list_with_tls_never_falls_back_to_plain_text),
        cmocka_unit_test(test_malformed_uris_are_refused_and_never_quoted),
        cmocka_unit_test(test_a_nul_is_refused),
        cmocka_unit_test(test_the_number_of_hosts_has_a_bound),
    };
    return cmocka_run_group_tests_name("amqp_uri", tests, set_up, tear_down) != 0;
}
