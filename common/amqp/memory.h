/* SPDX-License-Identifier: Apache-2.0 */
/* The heap for what outlives no arena. Like the arena it aborts where there is no memory. */
#ifndef ALLOT_AMQP_MEMORY_H
#define ALLOT_AMQP_MEMORY_H

#include <stddef.h>

/* `count` zeroed elements of `size` bytes; to be freed with free(). */
void *memory_array(size_t count, size_t size);
/* A C string of the first `length` bytes; to be freed with free(). */
char *memory_string(const void *bytes, size_t length);

#endif
