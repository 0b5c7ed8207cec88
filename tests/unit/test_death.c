/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <string.h>

#include "common/codec/death.h"

/* Encoded as RabbitMQ 3.10 does: the event of an expiration in queue "q". */
#define EVENT                                                                                      \
    "\5count"                                                                                      \
    "l\0\0\0\0\0\0\0\2"                                                                            \
    "\6reason"                                                                                     \
    "S\0\0\0\7expired"                                                                             \
    "\5queue"                                                                                      \
    "S\0\0\0\1q"                                                                                   \
    "\4time"                                                                                       \
    "T\0\0\0\0\x65\x53\xf1\0"                                                                      \
    "\10exchange"                                                                                  \
    "S\0\0\0\2ex"                                                                                  \
    "\14routing-keys"                                                                              \
    "A\0\0\0\10S\0\0\0\3key"

enum { EVENT_BYTES = sizeof EVENT - 1, ROOM = 512 };

static char *put_length(char *at, size_t length)
{
    memcpy(at, (char[]){0, 0, (char)(length >> 8), (char)length}, 4);
    return at + 4;
}

/* Returns headers with an x-death of this kind, whose only item is this table. */
static struct text headers_of(char room[ROOM], char array, char item, const char *event,
                              size_t event_bytes)
{
    char *at = put_length(room, 9 + 4 + 5 + event_bytes);
    at = (char *)memcpy(at, "\7x-death", 8) + 8;
    *at++ = array;
    at = put_length(at, 5 + event_bytes);
    *at++ = item;
    at = put_length(at, event_bytes);
    memcpy(at, event, event_bytes);
    return text_view(room, (size_t)(at - room) + event_bytes);
}

static void test_the_first_event_is_read(void **state)
{
    (void)state;
    char room[ROOM];
    struct death death;
    assert_true(death_read(headers_of(room, 'A', 'F', EVENT, EVENT_BYTES), &death));
    assert_true(text_is(death.reason, "expired"));
    assert_true(text_is(death.queue, "q"));
    assert_true(text_is(death.exchange, "ex"));
    assert_true(text_is(death.routing_key, "key"));
    assert_int_equal(death.count, 2);
    assert_int_equal(death.at_s, 0x6553f100);
}

static void test_headers_without_a_death_have_none(void **state)
{
    (void)state;
    struct death death;
    assert_false(death_read(TEXT_NONE, &death));
    assert_false(death_read(text_view("\0\0\0\0", 4), &death));
    assert_false(death_read(text_view("\0\0\0\4\1xt\1", 8), &death));
    assert_false(text_present(death.reason));
}

/* A producer may send anything under this name; the broker replaces it, but older ones may not. */
static void test_a_malformed_death_says_nothing(void **state)
{
    (void)state;
    char room[ROOM];
    struct death death;
    assert_true(death_read(headers_of(room, 'A', 'S', EVENT, EVENT_BYTES), &death));
    assert_false(text_present(death.reason));
    assert_true(death_read(headers_of(room, 'F', 'F', EVENT, EVENT_BYTES), &death));
    assert_false(text_present(death.reason));
    assert_true(death_read(text_view("\0\0\0\12\7x-deatht\1", 14), &death));
    assert_false(text_present(death.reason));
}

/* Read under AddressSanitizer: no byte beyond the headers is touched. */
static void test_no_length_leads_beyond_the_event(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < EVENT_BYTES; bytes++) {
        char room[ROOM];
        struct death death;
        assert_true(death_read(headers_of(room, 'A', 'F', EVENT, bytes), &death));
        assert_true(bytes < 40 || text_is(death.reason, "expired"));
    }
    static const char endless[] = "\14routing-keysA\0\0\0\10S\0\0\xff\3key";
    char room[ROOM];
    struct death death;
    assert_true(death_read(headers_of(room, 'A', 'F', endless, sizeof endless - 1), &death));
    assert_false(text_present(death.routing_key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_event_is_read),
        cmocka_unit_test(test_headers_without_a_death_have_none),
        cmocka_unit_test(test_a_malformed_death_says_nothing),
        cmocka_unit_test(test_no_length_leads_beyond_the_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
