/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libfyaml 0.7.12 leaks 512 bytes or more for each single-quoted text with five or more doubled
 * quotes: fy_atom_format_text grows its chunks and does not free them. The worker reads a file once
 * per reload, so the leak does no harm there, but it would end every fuzz run. The targets skip
 * such inputs, so that every other leak is still found.
 */
#ifndef ALLOT_FUZZ_LIBFYAML_LEAK_H
#define ALLOT_FUZZ_LIBFYAML_LEAK_H

#include "tests/fuzz/fuzz_target.h"

enum { LIBFYAML_DOUBLED_MAX = 4 };

/* Whether libfyaml might leak on this input. */
static inline int libfyaml_leaks(const uint8_t *data, size_t size)
{
    size_t doubled = 0;
    for (size_t i = 1; i < size; i++)
        doubled += data[i - 1] == '\'' && data[i] == '\'';
    return doubled > LIBFYAML_DOUBLED_MAX;
}

#endif
