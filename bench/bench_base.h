/* SPDX-License-Identifier: Apache-2.0 */
/* What all programs of the benchmark share: the clock, the way to die, and growing texts. */
#ifndef BENCH_BASE_H
#define BENCH_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allot/attributes.h"

double bench_seconds(void); /* monotonic */
/* An argument that has to be a number from 1 on. */
size_t bench_count(const char *argument);
/* Of the environment; dies where it is not set. */
const char *bench_environment(const char *name);
/* The same, as a number from 1 on; `otherwise` where it is not set. */
size_t bench_setting(const char *name, size_t otherwise);
/* Zeroed; never NULL. */
void *bench_array(size_t count, size_t size);
_Noreturn void bench_die(const char *format, ...) ALLOT_PRINTF(1, 2);

/* splitmix64: a good spread from consecutive numbers. */
uint64_t bench_spread(uint64_t number);

/* A text that grows; NUL-terminated. Starts zeroed, and is kept from one use to the next. */
struct buffer {
    char *bytes;
    size_t length, capacity;
};
void buffer_add(struct buffer *buffer, const char *format, ...) ALLOT_PRINTF(2, 3);
void buffer_add_bytes(struct buffer *buffer, const char *bytes, size_t length);

#endif
