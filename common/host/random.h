/* SPDX-License-Identifier: Apache-2.0 */
/* Random values from the kernel. */
#ifndef ALLOT_HOST_RANDOM_H
#define ALLOT_HOST_RANDOM_H

#include "common/base/uuid.h"

enum { RANDOM_BYTES_MAX = 256 };

/* Fills up to RANDOM_BYTES_MAX bytes. Aborts the process if the kernel has none to give. */
void random_bytes(void *bytes, size_t length);
/* Returns a random UUID (version 4). Aborts the process if the kernel has none to give. */
struct uuid random_uuid(void);

#endif
