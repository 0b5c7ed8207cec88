/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by the fuzz targets. A target is a file fuzz_<noun>.c with the function that libFuzzer
 * calls. script/fuzz runs it under libFuzzer, run_corpus.c with the inputs in corpus/<noun>/.
 */
#ifndef ALLOT_FUZZ_TARGET_H
#define ALLOT_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Checks one input; the name is libFuzzer's. Returns 0; aborts if a property does not hold. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Checks a property that every input must have; prints it and aborts if it does not hold. */
#define REQUIRE(property)                                                                          \
    do {                                                                                           \
        if (!(property)) {                                                                         \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #property);    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
