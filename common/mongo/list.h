/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A BSON array that is being appended to a document. BSON names the elements of an array by their
 * index: "0", "1" and so on. Libbson 1.23 leaves that to the caller, since its bson_array_builder_t
 * came with 1.25.
 */
#ifndef ALLOT_MONGO_LIST_H
#define ALLOT_MONGO_LIST_H

#include "common/mongo/document.h"

struct list {
    bson_t array;     /* to append what list_add_...() cannot add, under the name of list_next() */
    uint32_t count;   /* elements so far */
    bson_t condition; /* {$in: ...}, only between list_begin_in() and list_end_in() */
    char name[16];
};

/* Append {key: [...]} with the elements that are added between the two calls. Until the second
   call, nothing else may be appended to the document. */
void list_begin(struct list *list, bson_t *document, const char *key);
void list_end(struct list *list, bson_t *document);

/* Append {key: {$in: [...]}} in the same way. */
void list_begin_in(struct list *list, bson_t *document, const char *key);
void list_end_in(struct list *list, bson_t *document);

/* Add one element. */
void list_add_word(struct list *list, const char *value);
void list_add_text(struct list *list, struct text value);
void list_add_uuid(struct list *list, struct uuid value);
void list_add_bool(struct list *list, bool value);
void list_add_document(struct list *list, const bson_t *value);

/* For other elements: returns the name of the next one, and counts it. Borrowed until the next
   call. Not for the macros BSON_APPEND_...(), which evaluate the name twice. It needs only `count`,
   so it also numbers the elements of an array that was not begun by list_begin(). */
const char *list_next(struct list *list);

#endif
