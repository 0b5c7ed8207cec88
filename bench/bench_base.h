/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Helpers of all programs of the benchmark: the clock, errors, arguments, memory and growing texts.
 * A program of the benchmark ends at its first error, so most functions return no status.
 */
#ifndef BENCH_BASE_H
#define BENCH_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allot/attributes.h"

/* Returns the monotonic time in seconds. */
double bench_seconds(void);
/* Parses a number of at least 1; dies if the text is something else. */
size_t bench_parse_count(const char *text);
/* Returns an environment variable, borrowed; dies if it is not set. */
const char *bench_environment(const char *name);
/* Parses an environment variable as a number of at least 1; returns `fallback` if it is not set. */
size_t bench_environment_count(const char *name, size_t fallback);
/* Allocates a zeroed array, owned by the caller; never NULL, also for a count of 0. */
void *bench_array(size_t count, size_t size);
/* Prints "bench: " and the message to stderr, and exits with 1. */
_Noreturn void bench_die(const char *format, ...) ALLOT_PRINTF(1, 2);

/* Mixes the bits of a number (splitmix64): consecutive numbers give evenly distributed ones. */
uint64_t bench_mix(uint64_t number);

/*
 * A growing text, NUL-terminated. It starts zeroed. Set `length` to 0 to use the memory again; the
 * owner frees `bytes`.
 */
struct buffer {
    char *bytes;
    size_t length, capacity;
};
void buffer_add(struct buffer *buffer, const char *format, ...) ALLOT_PRINTF(2, 3);
void buffer_add_bytes(struct buffer *buffer, const char *bytes, size_t length);

#endif
