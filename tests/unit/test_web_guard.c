/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests who may use the page in the browser (guard.h), what is read of a request (request.h,
 * form.h), the address to listen on (address.h), and the table of the pages (site.h).
 *
 * A request of the tests is what the page's own forms and links send; each test changes one thing,
 * and expects what the guard says of it.
 *
 * Not here: the same over HTTP (tests/system/test_web).
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <string.h>

#include "ctl/web/guard.h"
#include "ctl/web/site.h"

static const unsigned char secret[GUARD_SECRET_BYTES] = {1, 2, 3};

static struct guard guard_on(const char *listen, bool read_only)
{
    struct address address;
    struct error error = {""};
    assert_true(address_parse(listen, &address, &error));
    return guard_new(&address, secret, read_only);
}

static struct guard guard;
static char cookie[256];

static int set_up(void **state)
{
    (void)state;
    guard = guard_on("127.0.0.1:8080", false);
    (void)snprintf(cookie, sizeof cookie, "other=1; %s=%s", guard.cookie, guard.session);
    return 0;
}

static struct web_request get(void)
{
    return (struct web_request){
        .method = WEB_GET, .host = text_of("127.0.0.1:8080"), .cookie = text_of(cookie)};
}

static struct web_request post(void)
{
    struct web_request request = get();
    request.method = WEB_POST;
    request.origin = text_of("http://127.0.0.1:8080");
    return request;
}

static void expect(struct web_request request, enum guard_answer expected)
{
    assert_int_equal(guard_check(&guard, &request), expected);
}

/* --- the address ---------------------------------------------------------------------------- */

static void test_the_pages_own_requests_are_allowed(void **state)
{
    (void)state;
    struct web_request head = get();
    head.method = WEB_HEAD;
    expect(get(), GUARD_ALLOWED);
    expect(head, GUARD_ALLOWED);
    expect(post(), GUARD_ALLOWED);
}

static void test_the_host_must_be_the_listening_address(void **state)
{
    const char *const hosts[] = {"",
                                 "127.0.0.1",
                                 "127.0.0.1:8081",
                                 "evil:8080",
                                 "127.0.0.1:8080.evil",
                                 "127.0.0.1:80800",
                                 "LOCALHOST:8080"};
    struct web_request request = get();
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        request.host = text_of(hosts[i]);
        expect(request, GUARD_BAD_HOST);
    }
    request.host = TEXT_NONE;
    expect(request, GUARD_BAD_HOST);
    request.host = text_of("localhost:8080");
    expect(request, GUARD_ALLOWED);
}

static void test_localhost_is_a_name_of_loopback_only(void **state)
{
    (void)state;
    guard = guard_on("192.0.2.1:8080", false);
    struct web_request request = get();
    request.host = text_of("localhost:8080");
    expect(request, GUARD_BAD_HOST);
    request.host = text_of("192.0.2.1:8080");
    expect(request, GUARD_ALLOWED);
}

static void test_browsers_leave_port_80_out(void **state)
{
    (void)state;
    guard = guard_on("[::1]:80", false);
    assert_string_equal(guard.hosts[0], "[::1]");
    assert_string_equal(guard.hosts[1], "localhost");
    guard = guard_on("[::1]:81", false);
    assert_string_equal(guard.hosts[0], "[::1]:81");
}

static void test_addresses_are_read(void **state)
{
    const struct {
        const char *text;
        unsigned port; /* of an invalid one: 99999 */
    } addresses[] = {
        {"127.0.0.1:8080", 8080},
        {"localhost:1", 1},
        {"127.0.0.1", 0},
        {"[::1]:0", 0},
        {"[::1]", 0},
        {"127.0.0.1:65535", 65535},
        {"", 99999},
        {":80", 99999},
        {"127.0.0.1:", 99999},
        {"127.0.0.1:65536", 99999},
        {"127.0.0.1:-1", 99999},
        {"127.0.0.1:8x", 99999},
        {"::1:80", 99999},
        {"[::1", 99999},
        {"[::1]80", 99999},
        {"[127.0.0.1]:1", 99999},
        {"host:80", 99999},
        {"0.0.0.0:80", 99999},
        {"[::]:80", 99999},
    };
    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct address address;
        struct error error = {""};
        bool valid = address_parse(addresses[i].text, &address, &error);
        if (valid != (addresses[i].port != 99999))
            fail_msg("%s: %s", addresses[i].text, error.text);
        if (valid)
            assert_int_equal(address_port(&address), addresses[i].port);
    }
}

/* --- other sites ---------------------------------------------------------------------------- */

static void test_the_origin_must_be_the_page_itself(void **state)
{
    const char *const origins[] = {"null",
                                   "",
                                   "http://evil",
                                   "https://127.0.0.1:8080",
                                   "http://127.0.0.1:8081",
                                   "http://127.0.0.1:8080.evil",
                                   "http://localhost:8080"};
    (void)state;
    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        struct web_request reading = get(), writing = post();
        reading.origin = writing.origin = text_of(origins[i]);
        expect(reading, GUARD_BAD_ORIGIN);
        expect(writing, GUARD_BAD_ORIGIN);
    }
}

static void test_a_post_without_origin_must_be_same_origin_by_another_header(void **state)
{
    struct web_request request = post();
    (void)state;
    request.origin = TEXT_NONE;
    expect(request, GUARD_BAD_ORIGIN);
    request.fetch_site = text_of("same-site");
    expect(request, GUARD_BAD_ORIGIN);
    request.fetch_site = text_of("same-origin");
    expect(request, GUARD_ALLOWED);
}

static void test_a_form_needs_the_csrf_token(void **state)
{
    struct form_field field = {text_of("csrf"), text_of(guard.csrf)};
    struct form form = {&field, 1}, empty = {NULL, 0};
    (void)state;
    assert_int_equal(guard_check_form(&guard, &form), GUARD_ALLOWED);
    assert_int_equal(guard_check_form(&guard, &empty), GUARD_BAD_CSRF);
    field.value = text_of(guard.session);
    assert_int_equal(guard_check_form(&guard, &form), GUARD_BAD_CSRF);
    field.value = text_view(guard.csrf, GUARD_SECRET_DIGITS - 1);
    assert_int_equal(guard_check_form(&guard, &form), GUARD_BAD_CSRF);
}

/* --- the token ------------------------------------------------------------------------------ */

static void test_nothing_is_answered_without_the_cookie(void **state)
{
    struct web_request request = get(), change = post();
    (void)state;
    request.cookie = change.cookie = TEXT_NONE;
    expect(request, GUARD_NO_TOKEN);
    expect(change, GUARD_NO_TOKEN);
    request.cookie = text_of("allot_web_8080=");
    expect(request, GUARD_NO_TOKEN);
    (void)snprintf(cookie, sizeof cookie, "%s=%s", guard.cookie, guard.token);
    request.cookie = text_of(cookie); /* the token is not the cookie */
    expect(request, GUARD_NO_TOKEN);
    (void)snprintf(cookie, sizeof cookie, "x%s=%s", guard.cookie, guard.session);
    request.cookie = text_of(cookie);
    expect(request, GUARD_NO_TOKEN);
}

static void test_the_token_in_the_url_is_exchanged_for_the_cookie(void **state)
{
    struct form_field field = {text_of("token"), text_of(guard.token)};
    struct web_request request = get();
    (void)state;
    request.cookie = TEXT_NONE;
    request.query = (struct form){&field, 1};
    expect(request, GUARD_LOGIN);
    field.value = text_of(guard.session);
    expect(request, GUARD_BAD_TOKEN);
    field.value = text_of("");
    expect(request, GUARD_BAD_TOKEN);
    request.method = WEB_POST;
    request.origin = text_of("http://127.0.0.1:8080");
    field.value = text_of(guard.token);
    expect(request, GUARD_NO_TOKEN);
}

static void test_the_secrets_are_all_different(void **state)
{
    const unsigned char other[GUARD_SECRET_BYTES] = {1, 2, 4};
    struct address address;
    struct error error = {""};
    (void)state;
    assert_true(address_parse("127.0.0.1:8080", &address, &error));
    struct guard second = guard_new(&address, other, false);
    assert_string_not_equal(guard.token, guard.session);
    assert_string_not_equal(guard.token, guard.csrf);
    assert_string_not_equal(guard.session, guard.csrf);
    assert_string_not_equal(guard.session, second.session);
    assert_int_equal(strlen(guard.token), GUARD_SECRET_DIGITS);
    assert_int_equal(strlen(guard.csrf), GUARD_SECRET_DIGITS);
}

static void test_texts_are_equal_only_as_a_whole(void **state)
{
    (void)state;
    assert_true(guard_equal(text_of("abc"), "abc"));
    assert_false(guard_equal(text_of("ab"), "abc"));
    assert_false(guard_equal(text_of("abcd"), "abc"));
    assert_false(guard_equal(text_of("abd"), "abc"));
    assert_false(guard_equal(TEXT_NONE, "abc"));
}

static void test_a_cookie_is_found_among_others(void **state)
{
    (void)state;
    assert_true(text_is(guard_cookie(text_of("a=1; b=2;c=3"), "b"), "2"));
    assert_true(text_is(guard_cookie(text_of("a=1; b=2;c=3"), "c"), "3"));
    assert_true(text_is(guard_cookie(text_of("a=1=2"), "a"), "1=2"));
    assert_false(text_present(guard_cookie(text_of("ab=1"), "b")));
    assert_false(text_present(guard_cookie(text_of("b"), "b")));
    assert_false(text_present(guard_cookie(TEXT_NONE, "b")));
}

/* --- what is read-only ---------------------------------------------------------------------- */

static void test_only_get_head_and_post_are_methods(void **state)
{
    struct web_request request = post();
    (void)state;
    request.method = WEB_OTHER;
    request.fetch_site = text_of("same-origin");
    expect(request, GUARD_BAD_METHOD);
}

static void test_read_only_allows_no_post(void **state)
{
    (void)state;
    guard.read_only = true;
    expect(post(), GUARD_READ_ONLY);
    expect(get(), GUARD_ALLOWED);
}

static void test_what_changes_something_is_a_post(void **state)
{
    const char *const paths[] = {"/close",    "/dry-run", "/replay",
                                 "/continue", "/stop",    "/letter/0a/edit"};
    struct site site = {.guard = guard};
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct web_response refusal;
        struct web_request request = post();
        request.path = text_of(paths[i]);
        const struct site_route *route = site_find(&site, &request, &refusal);
        assert_non_null(route);
        assert_int_equal(route->method, WEB_POST);
    }
}

static void test_the_desk_of_a_get_writes_nothing(void **state)
{
    const struct web_options options = {.read_only = false}, read_only = {.read_only = true};
    struct site site = {.options = &options, .guard = guard};
    struct web_request reading = get(), writing = post();
    (void)state;
    assert_true(site_desk(&site, &reading).read_only);
    assert_false(site_desk(&site, &writing).read_only);
    site.options = &read_only;
    assert_true(site_desk(&site, &writing).read_only);
}

static void test_a_star_of_a_path_is_one_part(void **state)
{
    (void)state;
    assert_true(text_is(site_path_part(text_of("/letter/0a"), "/letter/*"), "0a"));
    assert_true(text_is(site_path_part(text_of("/letter/0a/body"), "/letter/*/body"), "0a"));
    assert_false(text_present(site_path_part(text_of("/letter/"), "/letter/*")));
    assert_false(text_present(site_path_part(text_of("/letter/0a/b"), "/letter/*")));
    assert_false(text_present(site_path_part(text_of("/letter//body"), "/letter/*/body")));
    assert_false(text_present(site_path_part(text_of("/letterx0a"), "/letter/*")));
    assert_false(text_present(site_path_part(text_of("/x"), "/")));
}

/* --- reading -------------------------------------------------------------------------------- */

static void test_fields_are_decoded(void **state)
{
    struct arena *arena = arena_new(0);
    struct form form;
    (void)state;
    assert_true(form_parse(text_of("a=1+2%26%3d&&b&=c&a=2&d=%zz%4&e=%00%c3"), arena, &form));
    assert_int_equal(form.count, 6);
    assert_true(text_is(form_value(&form, "a"), "1 2&="));
    assert_true(text_present(form_value(&form, "b")));
    assert_false(form_given(&form, "b"));
    assert_true(text_is(form_value(&form, ""), "c"));
    assert_true(text_is(form_value(&form, "d"), "%zz%4"));
    assert_true(text_equal(form_value(&form, "e"), text_view("\0\xc3", 2)));
    assert_false(text_present(form_value(&form, "f")));
    arena_free(arena);
}

static void test_a_form_with_very_many_fields_is_refused(void **state)
{
    struct arena *arena = arena_new(0);
    struct form form;
    char encoded[2 * FORM_FIELDS_MAX + 3];
    (void)state;
    for (size_t i = 0; i <= FORM_FIELDS_MAX; i++)
        memcpy(encoded + 2 * i, "a&", 2);
    assert_true(form_parse(text_view(encoded, 2 * FORM_FIELDS_MAX), arena, &form));
    assert_false(form_parse(text_view(encoded, 2 * FORM_FIELDS_MAX + 2), arena, &form));
    arena_free(arena);
}

static void test_numbers_of_a_form_are_bounded(void **state)
{
    struct form_field fields[] = {{text_of("a"), text_of("17")},
                                  {text_of("b"), text_of("-1")},
                                  {text_of("c"), text_of("99999999999999999999999")},
                                  {text_of("d"), text_of("1x")}};
    struct form form = {fields, 4};
    (void)state;
    assert_int_equal(form_number(&form, "a", 17, 5), 17);
    assert_int_equal(form_number(&form, "a", 16, 5), 5);
    assert_int_equal(form_number(&form, "b", 17, 5), 5);
    assert_int_equal(form_number(&form, "c", INT64_MAX, 5), 5);
    assert_int_equal(form_number(&form, "d", 17, 5), 5);
    assert_int_equal(form_number(&form, "e", 17, 5), 5);
}

static void test_a_target_is_a_path_and_a_query(void **state)
{
    struct arena *arena = arena_new(0);
    struct web_request request = {.arena = arena};
    (void)state;
    assert_true(request_read_target(&request, text_of("/a%2Fb?x=1?2")));
    assert_true(text_is(request.path, "/a/b"));
    assert_true(text_is(form_value(&request.query, "x"), "1?2"));
    assert_false(request_read_target(&request, text_of("http://host/")));
    assert_false(request_read_target(&request, text_of("*")));
    assert_false(request_read_target(&request, text_of("")));
    arena_free(arena);
}

static void test_a_form_has_the_type_of_forms(void **state)
{
    struct arena *arena = arena_new(0);
    struct web_request request = {.arena = arena,
                                  .content_type =
                                      text_of("Application/x-www-form-urlencoded; charset=utf-8")};
    (void)state;
    assert_true(request_read_form(&request, text_of("a=1")));
    assert_true(text_is(form_value(&request.form, "a"), "1"));
    request.content_type = text_of("text/plain");
    assert_false(request_read_form(&request, text_of("a=1")));
    request.content_type = TEXT_NONE;
    assert_false(request_read_form(&request, text_of("a=1")));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(function) cmocka_unit_test_setup(function, set_up)
        TEST(test_the_pages_own_requests_are_allowed),
        TEST(test_the_host_must_be_the_listening_address),
        TEST(test_localhost_is_a_name_of_loopback_only),
        TEST(test_browsers_leave_port_80_out),
        TEST(test_addresses_are_read),
        TEST(test_the_origin_must_be_the_page_itself),
        TEST(test_a_post_without_origin_must_be_same_origin_by_another_header),
        TEST(test_a_form_needs_the_csrf_token),
        TEST(test_nothing_is_answered_without_the_cookie),
        TEST(test_the_token_in_the_url_is_exchanged_for_the_cookie),
        TEST(test_the_secrets_are_all_different),
        TEST(test_texts_are_equal_only_as_a_whole),
        TEST(test_a_cookie_is_found_among_others),
        TEST(test_only_get_head_and_post_are_methods),
        TEST(test_read_only_allows_no_post),
        TEST(test_what_changes_something_is_a_post),
        TEST(test_the_desk_of_a_get_writes_nothing),
        TEST(test_a_star_of_a_path_is_one_part),
        TEST(test_fields_are_decoded),
        TEST(test_a_form_with_very_many_fields_is_refused),
        TEST(test_numbers_of_a_form_are_bounded),
        TEST(test_a_target_is_a_path_and_a_query),
        TEST(test_a_form_has_the_type_of_forms),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
