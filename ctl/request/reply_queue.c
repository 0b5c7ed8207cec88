/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/request/reply_queue.h"

#include "common/codec/field_table.h"

bool reply_queue_open(struct client *client, const char *run, struct arena *arena,
                      const char **ret_queue, struct error *error)
{
    struct text user = client_user(client);
    *ret_queue = text_format(arena, "%.*s.allotctl.%s", TEXT_ARGS(user), run).bytes;
    if (client_declare_queue(client, *ret_queue, error) &&
        client_consume(client, *ret_queue, true, error))
        return true;
    error_prefix(error,
                 "no queue for replies (the broker's user '%.*s' needs the permissions configure "
                 "and read on '%.*s.allotctl.*')",
                 TEXT_ARGS(user), TEXT_ARGS(user));
    return false;
}

json_t *reply_read(const struct client_message *message)
{
    const char *bytes = message->body.bytes != NULL ? message->body.bytes : "";
    json_t *body = json_loadb(bytes, message->body.length, JSON_ALLOW_NUL, NULL);
    if (json_is_string(json_object_get(body, "status")))
        return body;
    json_decref(body);
    return NULL;
}

bool reply_is_replayed(const struct client_message *message)
{
    struct field field;
    return field_table_find(message->raw_headers, "x-allot-replayed", &field) &&
           field.kind == FIELD_BOOLEAN && field.integer != 0;
}
