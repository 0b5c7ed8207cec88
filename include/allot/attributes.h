/* SPDX-License-Identifier: Apache-2.0 */
/* Compiler attributes for function declarations. */
#ifndef ALLOT_ATTRIBUTES_H
#define ALLOT_ATTRIBUTES_H

/* The result says whether the call succeeded; the compiler warns if it is ignored. */
#define ALLOT_CHECK __attribute__((warn_unused_result))
/* The function takes a printf() format; the compiler checks its arguments. */
#define ALLOT_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))

#endif
