/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both users of bare librabbitmq need: the producer (bench_link.c) and the baseline without a
 * database (bench_broker.c). Every function ends the program on an error.
 */
#ifndef BENCH_AMQP_H
#define BENCH_AMQP_H

#include <stdbool.h>

#include "common/amqp/librabbitmq.h"

/* Connects and logs in without TLS. Owned by the caller, freed by bench_amqp_close(). */
amqp_connection_state_t bench_amqp_open(const char *uri);
void bench_amqp_close(amqp_connection_state_t state);
/* Dies if the broker rejected the last method. `what` says in the error what the method was for. */
void bench_amqp_check(amqp_connection_state_t state, const char *what);
/* While corked, the kernel sends full TCP segments only. */
void bench_amqp_cork(amqp_connection_state_t state, bool corked);

#endif
