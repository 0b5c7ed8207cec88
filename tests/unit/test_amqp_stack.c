/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that the largest header that is read can be decoded, or is refused, if it consists of
   nested arrays or of nested tables, with the stack that a thread of the transport has. */
#include "tests/support/cmocka.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "allot/transport.h"
#include "common/amqp/librabbitmq.h"

enum {
    TABLE_BYTES = 1024 * 1024,
    NAME_BYTES = 2,
    HEAD_BYTES = 5,
    ENTRY_BYTES = NAME_BYTES + HEAD_BYTES
};

static void put_length(char *at, size_t length)
{
    uint32_t net = htonl((uint32_t)length);
    memcpy(at, &net, sizeof net);
}

/* Fills a table with one entry "a": a table with one entry "a", and so on. */
static void fill_with_tables(char bytes[TABLE_BYTES])
{
    size_t levels = (TABLE_BYTES - 4) / ENTRY_BYTES;
    char *at = bytes + 4;
    memset(bytes, 0, TABLE_BYTES);
    put_length(bytes, levels * ENTRY_BYTES);
    for (size_t left = levels; left > 0; left--, at += ENTRY_BYTES) {
        memcpy(at, "\1aF", NAME_BYTES + 1);
        put_length(at + NAME_BYTES + 1, (left - 1) * ENTRY_BYTES);
    }
}

/* Fills a table with one entry "a": arrays, each within the one before. */
static void fill_with_arrays(char bytes[TABLE_BYTES])
{
    size_t levels = (TABLE_BYTES - 4 - NAME_BYTES) / HEAD_BYTES;
    char *at = bytes + 4;
    memset(bytes, 0, TABLE_BYTES);
    put_length(bytes, NAME_BYTES + levels * HEAD_BYTES);
    memcpy(at, "\1a", NAME_BYTES);
    at += NAME_BYTES;
    for (size_t left = levels; left > 0; left--, at += HEAD_BYTES) {
        at[0] = 'A';
        put_length(at + 1, (left - 1) * HEAD_BYTES);
    }
}

/* Returns the status of the library. */
static void *decode(void *argument)
{
    amqp_bytes_t bytes = {TABLE_BYTES, argument};
    amqp_table_t table = amqp_empty_table;
    amqp_pool_t pool;
    size_t offset = 0;
    init_amqp_pool(&pool, 4096);
    intptr_t status = amqp_decode_table(bytes, &pool, &table, &offset);
    empty_amqp_pool(&pool);
    return (void *)status;
}

static void assert_decoded(void (*fill)(char bytes[TABLE_BYTES]))
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *status = NULL;
    char *bytes = malloc(TABLE_BYTES);
    assert_non_null(bytes);
    fill(bytes);
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, TRANSPORT_STACK_BYTES), 0);
    assert_int_equal(pthread_create(&thread, &attributes, decode, bytes), 0);
    assert_int_equal(pthread_join(thread, &status), 0);
    assert_int_equal((intptr_t)status,
                     LIBRABBITMQ_NESTED_MAX > 100 ? AMQP_STATUS_OK : AMQP_STATUS_BAD_AMQP_DATA);
    (void)pthread_attr_destroy(&attributes);
    free(bytes);
}

static void test_nested_arrays_do_not_overflow_the_stack(void **state)
{
    (void)state;
    assert_decoded(fill_with_arrays);
}

static void test_nested_tables_do_not_overflow_the_stack(void **state)
{
    (void)state;
    assert_decoded(fill_with_tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested_arrays_do_not_overflow_the_stack),
        cmocka_unit_test(test_nested_tables_do_not_overflow_the_stack),
    };
    return cmocka_run_group_tests_name("amqp_stack", tests, NULL, NULL) != 0;
}
