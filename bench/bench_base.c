/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_CAPACITY = 2048 };

double bench_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

size_t bench_parse_count(const char *text)
{
    char *end = NULL;
    size_t count = strtoul(text, &end, 10);
    if (*end != '\0' || count == 0)
        bench_die("invalid value '%s': expected a number of at least 1", text);
    return count;
}

const char *bench_environment(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL)
        bench_die("%s is not set; run script/bench, or evaluate the output of script/stack env",
                  name);
    return value;
}

size_t bench_environment_count(const char *name, size_t fallback)
{
    const char *value = getenv(name);
    return value != NULL ? bench_parse_count(value) : fallback;
}

void *bench_array(size_t count, size_t size)
{
    void *array = calloc(count > 0 ? count : 1, size);
    if (array == NULL)
        bench_die("out of memory");
    return array;
}

void bench_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("bench: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

uint64_t bench_mix(uint64_t number)
{
    uint64_t z = number * 0x9e3779b97f4a7c15ULL + 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* --- buffers --- */

static void make_room(struct buffer *buffer, size_t length)
{
    size_t needed = buffer->length + length + 1;
    if (needed <= buffer->capacity)
        return;
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_CAPACITY;
    while (capacity < needed)
        capacity *= 2;
    buffer->bytes = realloc(buffer->bytes, capacity);
    if (buffer->bytes == NULL)
        bench_die("out of memory");
    buffer->capacity = capacity;
}

void buffer_add(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    make_room(buffer, 0);
    size_t room = buffer->capacity - buffer->length;
    size_t length = (size_t)vsnprintf(buffer->bytes + buffer->length, room, format, arguments);
    if (length >= room) {
        make_room(buffer, length);
        (void)vsnprintf(buffer->bytes + buffer->length, length + 1, format, again);
    }
    buffer->length += length;
    va_end(again);
    va_end(arguments);
}

void buffer_add_bytes(struct buffer *buffer, const char *bytes, size_t length)
{
    make_room(buffer, length);
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    buffer->bytes[buffer->length] = '\0';
}
