/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "common/host/file.h"
#include "common/mongo/pool.h"

/* libmongoc and OpenSSL open the files by their names, and would wait for ever for a FIFO. */
static bool check_file(const mongoc_uri_t *uri, const char *option, struct error *error)
{
    const char *path = mongoc_uri_get_option_as_utf8(uri, option, NULL);
    if (path == NULL || file_check(path, FILE_PEM_BYTES_MAX, error))
        return true;
    error_prefix(error, "mongodb.uri: %s", option);
    return false;
}

mongoc_uri_t *mongo_uri_parse(struct text text, struct error *error)
{
    bson_error_t cause;
    char *string = strndup(text.bytes != NULL ? text.bytes : "", text.length);
    mongoc_uri_t *uri = mongoc_uri_new_with_error(string, &cause);
    free(string);
    if (uri == NULL) {
        error_set(error, "mongodb.uri: %s", cause.message);
        return NULL;
    }
    if (check_file(uri, MONGOC_URI_TLSCAFILE, error) &&
        check_file(uri, MONGOC_URI_TLSCERTIFICATEKEYFILE, error))
        return uri;
    mongoc_uri_destroy(uri);
    return NULL;
}

/* With mongodb+srv:// the servers are known from DNS only; they are under the name in the URI. */
static void read_hosts(const mongoc_uri_t *uri, struct arena *arena, struct mongo_uri *ret_uri)
{
    const char *service = mongoc_uri_get_srv_hostname(uri);
    const mongoc_host_list_t *first = mongoc_uri_get_hosts(uri);
    size_t count = service != NULL, i = 0;
    for (const mongoc_host_list_t *host = first; host != NULL; host = host->next)
        count++;
    struct text *hosts = ARENA_ARRAY(arena, struct text, count);
    if (service != NULL)
        hosts[i++] = text_copy(arena, text_of(service));
    for (const mongoc_host_list_t *host = first; host != NULL; host = host->next)
        hosts[i++] = text_copy(arena, text_of(host->host));
    ret_uri->hosts = hosts;
    ret_uri->host_count = count;
}

bool mongo_uri_read(struct text text, struct arena *arena, struct mongo_uri *ret_uri,
                    struct error *error)
{
    mongoc_uri_t *uri = mongo_uri_parse(text, error);
    if (uri == NULL)
        return false;
    const char *key = mongoc_uri_get_option_as_utf8(uri, MONGOC_URI_TLSCERTIFICATEKEYFILE, NULL);
    *ret_uri = (struct mongo_uri){
        .tls = mongoc_uri_get_tls(uri),
        .key_file = key != NULL ? text_copy(arena, text_of(key)) : TEXT_NONE,
    };
    read_hosts(uri, arena, ret_uri);
    mongoc_uri_destroy(uri);
    return true;
}
