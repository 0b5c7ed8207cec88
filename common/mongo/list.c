/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mongo/list.h"

void list_begin(struct list *list, bson_t *document, const char *key)
{
    list->count = 0;
    array_begin(document, key, &list->array);
}

void list_end(struct list *list, bson_t *document)
{
    bson_append_array_end(document, &list->array);
}

void list_begin_in(struct list *list, bson_t *document, const char *key)
{
    bson_append_document_begin(document, key, -1, &list->condition);
    list_begin(list, &list->condition, "$in");
}

void list_end_in(struct list *list, bson_t *document)
{
    list_end(list, &list->condition);
    bson_append_document_end(document, &list->condition);
}

const char *list_next(struct list *list)
{
    const char *name = NULL;
    (void)bson_uint32_to_string(list->count++, &name, list->name, sizeof list->name);
    return name;
}

void list_add_word(struct list *list, const char *value)
{
    BSON_ASSERT(bson_append_utf8(&list->array, list_next(list), -1, value, -1));
}

void list_add_text(struct list *list, struct text value)
{
    document_append_text(&list->array, list_next(list), value);
}

void list_add_uuid(struct list *list, struct uuid value)
{
    document_append_uuid(&list->array, list_next(list), value);
}

void list_add_bool(struct list *list, bool value)
{
    BSON_ASSERT(bson_append_bool(&list->array, list_next(list), -1, value));
}

void list_add_document(struct list *list, const bson_t *value)
{
    BSON_ASSERT(bson_append_document(&list->array, list_next(list), -1, value));
}
