/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/record.h"

#include "common/mongo/letters_read.h"
#include "ctl/web/page.h"

bool record_read(const struct site *site, const struct web_request *request, const char *pattern,
                 struct letter_record *ret_record, struct web_response *ret_answer)
{
    struct error error = {""};
    size_t matches = 0;
    struct text id = site_path_part(request->path, pattern);
    if (mongo_letter_find(site->store, id, request->arena, ret_record, &matches, &error) !=
        STORE_OK) {
        *ret_answer = page_failure(site, request, "The letter cannot be read", &error);
        return false;
    }
    if (matches == 1)
        return true;
    *ret_answer = page_error(site, request, HTTP_NOT_FOUND,
                             matches == 0 ? "There is no such letter. It may have expired."
                                          : "Several letters begin with these digits.");
    return false;
}
