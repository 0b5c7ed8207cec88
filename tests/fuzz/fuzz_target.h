/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets share. A target is fuzz_<noun>.c with libFuzzer's entry; script/fuzz drives
 * it with clang's libFuzzer, and run_corpus.c with the kept inputs of corpus/<noun>/.
 */
#ifndef ALLOT_FUZZ_TARGET_H
#define ALLOT_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* libFuzzer's name for it. Returns 0; a property that does not hold aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The property that every input has to have; where it has not, the process says so and ends. */
#define REQUIRE(property)                                                                          \
    do {                                                                                           \
        if (!(property)) {                                                                         \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #property);    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
