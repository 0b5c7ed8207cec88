/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/request.h"

#include <string.h>
#include <strings.h>

bool request_read_target(struct web_request *request, struct text target)
{
    const char *mark = memchr(target.bytes, '?', target.length);
    size_t length = mark != NULL ? (size_t)(mark - target.bytes) : target.length;
    struct text path = text_view(target.bytes, length);
    struct text query =
        mark != NULL ? text_view(mark + 1, target.length - length - 1) : text_of("");
    if (length == 0 || target.bytes[0] != '/')
        return false;
    request->path = form_decode(path, request->arena);
    return form_parse(query, request->arena, &request->query);
}

bool request_read_form(struct web_request *request, struct text body)
{
    static const char type[] = "application/x-www-form-urlencoded";
    const size_t length = sizeof type - 1;
    struct text given = request->content_type;
    if (given.length < length || strncasecmp(given.bytes, type, length) != 0 ||
        (given.length > length && given.bytes[length] != ';' && given.bytes[length] != ' '))
        return false;
    return form_parse(body, request->arena, &request->form);
}
