/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libfyaml 0.7.12 loses a block of 512 bytes or more (it grows the chunks of fy_atom_format_text
 * and does not free them) of a single-quoted text with five or more doubled quotes. It costs us
 * nothing that counts, a file is read once a reload; but it would end each fuzz run. Such inputs
 * are left out, so that every other leak is still found.
 */
#ifndef ALLOT_FUZZ_LIBFYAML_LEAK_H
#define ALLOT_FUZZ_LIBFYAML_LEAK_H

#include "tests/fuzz/fuzz_target.h"

enum { LIBFYAML_DOUBLED_MAX = 4 };

static inline int libfyaml_leaks(const uint8_t *data, size_t size)
{
    size_t doubled = 0;
    for (size_t i = 1; i < size; i++)
        doubled += data[i - 1] == '\'' && data[i] == '\'';
    return doubled > LIBFYAML_DOUBLED_MAX;
}

#endif
