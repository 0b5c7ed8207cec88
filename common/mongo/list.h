/* SPDX-License-Identifier: Apache-2.0 */
/* An array that is being written into a document: its elements are named by their numbers. */
#ifndef ALLOT_MONGO_LIST_H
#define ALLOT_MONGO_LIST_H

#include <bson/bson.h>

struct list {
    bson_t array; /* elements are appended to it, each named by `list_next` */
    uint32_t count;
    bson_t condition; /* of the form with `$in` */
    char name[16];
};

/* {key: [...]}, with the elements that are appended between the two calls. */
void list_begin(struct list *list, bson_t *document, const char *key);
void list_end(struct list *list, bson_t *document);

/* {key: {$in: [...]}}, likewise. */
void list_begin_in(struct list *list, bson_t *document, const char *key);
void list_end_in(struct list *list, bson_t *document);

/* The name of the next element; valid until the next call. */
const char *list_next(struct list *list);

#endif
