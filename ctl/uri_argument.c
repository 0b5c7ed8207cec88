/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/uri_argument.h"

#include <stdio.h>
#include <string.h>

#include "common/codec/settings_file.h"

static void warn(const char *option)
{
    (void)fprintf(stderr,
                  "allotctl: warning: every user of this machine could see the password in --%s "
                  "(ps); give the URI in a file (--uri-file, --database-uri-file, or a variable "
                  "such as ALLOT_AMQP_URI_FILE), in a variable (ALLOT_AMQP_URI, "
                  "ALLOT_MONGODB_URI, ALLOT_MANAGEMENT_URI), or in a context\n",
                  option);
}

/* The kernel shows these bytes as long as the process lives. The length has to stay. */
static void overwrite(char *argument, struct text masked)
{
    size_t length = strlen(argument);
    size_t shown = masked.length < length ? masked.length : length;
    memcpy(argument, masked.bytes, shown);
    memset(argument + shown, ' ', length - shown);
}

const char *uri_argument_take(const char *argument, const char *option, struct arena *arena)
{
    if (argument == NULL)
        return NULL;
    struct text uri = text_copy(arena, text_of(argument));
    if (settings_uri_has_secret(arena, uri)) {
        overwrite((char *)argument, settings_mask_uri(arena, uri));
        warn(option);
    }
    return uri.bytes;
}
