/* SPDX-License-Identifier: Apache-2.0 */
/* The queues of commands, by the worker's own adapter: there before the first command is sent. */
#ifndef BENCH_TOPOLOGY_H
#define BENCH_TOPOLOGY_H

#include <stddef.h>
#include <stdint.h>

/* Declares the queue of a part of the providers, and empties it: a run that died may have left
 * some. */
void topology_prepare(uint32_t lot);
/* Takes away what waits in it; how much that was. */
size_t topology_drain(uint32_t lot);

#endif
