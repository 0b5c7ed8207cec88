/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/assets.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/web/page.h"

const char *asset_path(const char *name)
{
    for (const struct asset *asset = assets; asset->name != NULL; asset++)
        if (strcmp(asset->name, name) == 0)
            return asset->path;
    abort();
}

static enum response_type type_of(struct text path)
{
    const char *dot = memrchr(path.bytes, '.', path.length);
    struct text end = text_view(dot, (size_t)(path.bytes + path.length - dot));
    return text_is(end, ".css")  ? RESPONSE_CSS
           : text_is(end, ".js") ? RESPONSE_JAVASCRIPT
                                 : RESPONSE_SVG;
}

struct web_response asset_file(const struct site *site, const struct web_request *request)
{
    for (const struct asset *asset = assets; asset->name != NULL; asset++) {
        if (text_is(request->path, asset->path))
            return (struct web_response){
                .status = HTTP_OK,
                .type = type_of(request->path),
                .body = text_view((const char *)asset->bytes, asset->length),
                .cacheable = true,
            };
    }
    return page_error(site, request, HTTP_NOT_FOUND, "There is no such file.");
}
