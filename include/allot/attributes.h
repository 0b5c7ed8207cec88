/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler attributes that public headers use; nothing else. */
#ifndef ALLOT_ATTRIBUTES_H
#define ALLOT_ATTRIBUTES_H

/* The result says how a call ended and may not be dropped. */
#define ALLOT_CHECK __attribute__((warn_unused_result))
#define ALLOT_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))

#endif
