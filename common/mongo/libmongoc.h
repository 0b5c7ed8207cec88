/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Includes libmongoc and libbson, and hides what differs between the versions 1.23 and 2.5. No
 * other file of the adapter includes them.
 */
#ifndef ALLOT_MONGO_LIBMONGOC_H
#define ALLOT_MONGO_LIBMONGOC_H

#include <mongoc/mongoc.h>

/* Begins to append an array to the document; bson_append_array_end() ends it. The caller names the
   elements "0", "1" and so on (list.h). libbson 2.3 has given the function another name. */
static inline void array_begin(bson_t *document, const char *key, bson_t *ret_array)
{
#if BSON_CHECK_VERSION(2, 3, 0)
    (void)bson_append_array_unsafe_begin(document, key, -1, ret_array);
#else
    (void)bson_append_array_begin(document, key, -1, ret_array);
#endif
}

#endif
