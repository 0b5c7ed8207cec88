/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/request/reply_member.h"

struct text reply_member_text(const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);
    return text_view(json_string_value(member), json_string_length(member));
}

int64_t reply_member_integer(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}
