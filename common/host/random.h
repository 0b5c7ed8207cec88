/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers from the kernel. */
#ifndef ALLOT_HOST_RANDOM_H
#define ALLOT_HOST_RANDOM_H

#include "common/base/uuid.h"

/* Returns a random UUID (version 4). Aborts when the kernel has no random numbers. */
struct uuid random_uuid(void);

#endif
