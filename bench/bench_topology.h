/* SPDX-License-Identifier: Apache-2.0 */
/* The commands queues, made by the worker's own AMQP adapter before the first command is sent. */
#ifndef BENCH_TOPOLOGY_H
#define BENCH_TOPOLOGY_H

#include <stddef.h>
#include <stdint.h>

/* Declares the queue of a partition, and empties it: an aborted run may have left messages. */
void topology_prepare(uint32_t partition);
/* Removes all messages that wait in the queue; returns how many. */
size_t topology_drain(uint32_t partition);

#endif
