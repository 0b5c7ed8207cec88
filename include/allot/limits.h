/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit of the wire contract (docs/protocol.md). "Characters" are Unicode code points. */
#ifndef ALLOT_LIMITS_H
#define ALLOT_LIMITS_H

/* A message. */
#define BODY_BYTES_MAX (1024 * 1024)
#define BODY_KEPT_BYTES (64 * 1024) /* of a larger body; its dead letter has them */
#define BODY_DEPTH_MAX 32           /* nested objects and arrays; the outermost is level 1 */
#define REPLY_BYTES_MAX (12 * 1024 * 1024)
#define MESSAGE_ID_BYTES_MAX 255
#define PREFETCH_MAX 2000          /* the most that a quorum queue of RabbitMQ allows a consumer */
#define DEAD_DETAIL_BYTES_MAX 1024 /* the header x-allot-detail of a dead letter */
#define DESK_PREFETCH 64           /* unacknowledged messages of the desk queue, per connection */
#define DESK_QUEUE_SUFFIX ".desk"  /* of the desk queue, after the name of the dead-letter queue */

/* Names. */
#define NAME_CHARS_MAX 200     /* the name of a provider, in characters */
#define OWNER_CHARS_MAX 255    /* project_id and user_id, in characters */
#define RESOURCE_CLASS_MAX 255 /* ASCII */
#define CONSUMER_TYPE_MAX 255  /* ASCII */
#define MAPPING_KEY_MAX 64     /* ASCII */

/* Numbers. */
#define AMOUNT_MAX 2147483647LL   /* an amount, `total`, `min_unit`, `max_unit`, `step_size` */
#define RATIO_ONE 1000000LL       /* allocation_ratio 1.0; ratios are counted in millionths */
#define RATIO_MIN 1LL             /* 0.000001 */
#define RATIO_MAX 1000000000000LL /* 1000000.0 */

/* Counts. */
#define CONSUMERS_MAX 1000          /* consumers of one command */
#define INVENTORIES_MAX 1000        /* inventories of one reshape */
#define CONSUMER_PROVIDERS_MAX 1000 /* providers that one consumer of a command names */
#define PAIRS_MAX 10000             /* (consumer, provider) pairs of one command, old and new */
#define TREE_PROVIDERS_MAX 10000    /* providers of one tree */
#define PAGE_ROWS_MAX 1000          /* consumers in one page of provider.allocations */
#define PAGE_BYTES_MAX (4 * 1024 * 1024)

#endif
