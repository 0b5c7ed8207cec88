/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the reading of URLs, and posts to a server on the loopback address. The server answers with
 * texts that each test gives, and keeps the requests. Each post has a secret in its URL, and
 * post_to() checks that no error shows it.
 *
 * The time limits are generous where an answer comes, and short where none does.
 *
 * Not here: what is posted (test_notification.c).
 */
#include "tests/support/cmocka.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/host/http_post.h"
#include "tests/support/http_server.h"

enum { GENEROUS_MS = 60000, SHORT_MS = 300, URL_ROOM = 128 };

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* --- URLs ------------------------------------------------------------------------------------- */

struct url_case {
    const char *url;
    const char *origin;
    const char *host;
    bool tls;
    bool secret;
};

static void test_a_url_says_where_it_leads(void **state)
{
    static const struct url_case cases[] = {
        {"https://hooks.example.org", "https://hooks.example.org", "hooks.example.org", true,
         false},
        {"https://hooks.example.org/", "https://hooks.example.org", "hooks.example.org", true,
         false},
        {"http://h:8080/T0/secret", "http://h:8080", "h", false, true},
        {"http://h?token=secret", "http://h", "h", false, true},
        {"https://user:secret@h/", "https://h", "h", true, true},
        {"https://secret@h/", "https://h", "h", true, true},
        {"http://[::1]:9/", "http://[::1]:9", "::1", false, false},
    };
    (void)state;
    struct arena *arena = arena_new(0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_url url;
        struct error error = {""};
        if (!http_url_read(text_of(cases[i].url), arena, &url, &error))
            fail_msg("%s: %s", cases[i].url, error.text);
        assert_true(text_is(url.origin, cases[i].origin));
        assert_true(text_is(url.host, cases[i].host));
        assert_int_equal(url.tls, cases[i].tls);
        assert_int_equal(url.secret, cases[i].secret);
    }
    arena_free(arena);
}

static void test_an_invalid_url_is_an_error_that_does_not_show_it(void **state)
{
    static const char *const urls[] = {
        "secret",  "/secret",          "ftp://h/secret",   "file:///secret",
        "http://", "http://h:secret/", "http://h/sec ret", "gopher://secret",
    };
    (void)state;
    struct arena *arena = arena_new(0);
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct http_url url;
        struct error error = {""};
        if (http_url_read(text_of(urls[i]), arena, &url, &error))
            fail_msg("%s", urls[i]);
        assert_int_not_equal(error.text[0], '\0');
        assert_null(strstr(error.text, "secret"));
    }
    arena_free(arena);
}

/* --- posts ------------------------------------------------------------------------------------ */

static bool post_to(int port, int64_t timeout_ms, int stop_fd, struct error *error)
{
    char url[URL_ROOM];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/hook?token=secret", port);
    struct http_post post = {url, text_of("{\"version\":1}"), timeout_ms, stop_fd};
    bool done = http_post(&post, error);
    assert_null(strstr(error->text, "secret"));
    return done;
}

static void test_the_json_is_posted(void **state)
{
    static const char *const answers[] = {OK};
    (void)state;
    struct error error = {""};
    struct http_server *server = http_server_start(answers, 1);
    if (!post_to(http_server_port(server), GENEROUS_MS, -1, &error))
        fail_msg("%s", error.text);
    const char *request = http_server_request(server, 0);
    assert_non_null(request);
    assert_int_equal(strncmp(request, "POST /hook?token=secret HTTP/1.1\r\n", 34), 0);
    assert_non_null(strstr(request, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(request, "\r\n\r\n{\"version\":1}"));
    http_server_stop(server);
}

static void test_another_status_is_a_failure(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 no\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 ok\r\n\r\n",
    };
    (void)state;
    struct error error = {""};
    struct http_server *server = http_server_start(answers, 3);
    int port = http_server_port(server);
    assert_false(post_to(port, GENEROUS_MS, -1, &error));
    assert_non_null(strstr(error.text, "HTTP status 500"));
    assert_false(post_to(port, GENEROUS_MS, -1, &error));
    assert_non_null(strstr(error.text, "HTTP status 404"));
    assert_true(post_to(port, GENEROUS_MS, -1, &error));
    http_server_stop(server);
}

/* It could lead to a file, or into a network that only this machine may enter. */
static void test_a_redirect_is_not_followed(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 302 there\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", OK};
    (void)state;
    struct error error = {""};
    struct http_server *server = http_server_start(answers, 2);
    assert_false(post_to(http_server_port(server), GENEROUS_MS, -1, &error));
    assert_non_null(strstr(error.text, "HTTP status 302"));
    assert_int_equal(http_server_requests(server), 1);
    http_server_stop(server);
}

static void test_no_proxy_of_the_environment_is_used(void **state)
{
    static const char *const answers[] = {OK};
    (void)state;
    struct error error = {""};
    struct http_server *server = http_server_start(answers, 1);
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1/", 1), 0);
    assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1/", 1), 0);
    assert_true(post_to(http_server_port(server), GENEROUS_MS, -1, &error));
    (void)unsetenv("http_proxy");
    (void)unsetenv("ALL_PROXY");
    http_server_stop(server);
}

static void test_a_server_that_does_not_answer_is_given_up(void **state)
{
    static const char *const answers[] = {""};
    (void)state;
    struct error error = {""};
    struct http_server *server = http_server_start(answers, 1);
    assert_false(post_to(http_server_port(server), SHORT_MS, -1, &error));
    assert_non_null(strstr(error.text, "timed out"));
    http_server_stop(server);
}

static void test_an_answer_that_never_ends_is_given_up(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx"};
    (void)state;
    struct error error = {""};
    struct http_server *server = http_server_start(answers, 1);
    assert_false(post_to(http_server_port(server), GENEROUS_MS, -1, &error));
    assert_int_not_equal(error.text[0], '\0');
    http_server_stop(server);
}

static void test_a_stop_ends_the_transfer_at_once(void **state)
{
    static const char *const answers[] = {""};
    (void)state;
    struct error error = {""};
    int stop_fd = eventfd(1, EFD_CLOEXEC);
    struct http_server *server = http_server_start(answers, 1);
    assert_false(post_to(http_server_port(server), GENEROUS_MS, stop_fd, &error));
    assert_non_null(strstr(error.text, "the worker stops"));
    http_server_stop(server);
    (void)close(stop_fd);
}

static void test_a_port_without_a_server_is_an_error(void **state)
{
    static const char *const answers[] = {OK};
    (void)state;
    struct error error = {""};
    struct http_server *server = http_server_start(answers, 1);
    int port = http_server_port(server);
    http_server_stop(server);
    assert_false(post_to(port, GENEROUS_MS, -1, &error));
    assert_int_not_equal(error.text[0], '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_url_says_where_it_leads),
        cmocka_unit_test(test_an_invalid_url_is_an_error_that_does_not_show_it),
        cmocka_unit_test(test_the_json_is_posted),
        cmocka_unit_test(test_another_status_is_a_failure),
        cmocka_unit_test(test_a_redirect_is_not_followed),
        cmocka_unit_test(test_no_proxy_of_the_environment_is_used),
        cmocka_unit_test(test_a_server_that_does_not_answer_is_given_up),
        cmocka_unit_test(test_an_answer_that_never_ends_is_given_up),
        cmocka_unit_test(test_a_stop_ends_the_transfer_at_once),
        cmocka_unit_test(test_a_port_without_a_server_is_an_error),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    if (!http_library_init())
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    http_library_cleanup();
    return failed;
}
