/* SPDX-License-Identifier: Apache-2.0 */
/* The list of the tests in transport_unreadable.c. */
#ifndef ALLOT_TRANSPORT_UNREADABLE_H
#define ALLOT_TRANSPORT_UNREADABLE_H

#define UNREADABLE_TESTS(X)                                                                        \
    X(test_a_header_that_the_broker_made_larger_than_a_frame_is_read)                              \
    X(test_a_client_reads_a_header_larger_than_a_frame)                                            \
    X(test_an_unreadable_delivery_is_rejected_and_the_others_are_served)                           \
    X(test_an_unreadable_message_of_the_desk_is_dropped_there)                                     \
    X(test_a_connection_that_ends_within_a_message_blames_no_delivery)                             \
    X(test_headers_nested_over_the_limit_of_the_library)                                           \
    X(test_a_client_is_told_of_an_unreadable_message)

#define X(test) void test(void **state);
UNREADABLE_TESTS(X)
#undef X

#endif
