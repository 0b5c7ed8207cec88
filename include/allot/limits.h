/* SPDX-License-Identifier: Apache-2.0 */
/* Every bound of the wire contract (docs/protocol.md), by name and in one place. */
#ifndef ALLOT_LIMITS_H
#define ALLOT_LIMITS_H

#define BODY_BYTES_MAX (1024 * 1024)
#define BODY_DEPTH_MAX 32
#define REPLY_BYTES_MAX (12 * 1024 * 1024)
#define MESSAGE_ID_BYTES_MAX 255
#define NAME_CHARS_MAX 200        /* a provider's name, in code points */
#define OWNER_CHARS_MAX 255       /* project_id and user_id, in code points */
#define RESOURCE_CLASS_MAX 255    /* ASCII */
#define CONSUMER_TYPE_MAX 255     /* ASCII */
#define MAPPING_KEY_MAX 64        /* ASCII */
#define AMOUNT_MAX 2147483647LL   /* an amount, a total, a unit, a step */
#define RATIO_ONE 1000000LL       /* allocation_ratio 1.0, in millionths */
#define RATIO_MIN 1LL             /* 0.000001 */
#define RATIO_MAX 1000000000000LL /* 1000000.0 */
#define CONSUMERS_MAX 1000        /* of one command */
#define INVENTORIES_MAX 1000      /* providers in one reshape */
#define CONSUMER_PROVIDERS_MAX 1000
#define PAIRS_MAX 10000 /* (consumer, provider), old and new, of one command */
#define TREE_PROVIDERS_MAX 10000
#define PAGE_ROWS_MAX 1000
#define PAGE_BYTES_MAX (4 * 1024 * 1024)
#define DEAD_DETAIL_BYTES_MAX 1024

#endif
