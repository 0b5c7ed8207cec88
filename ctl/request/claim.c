/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/request/claim.h"

#include <stdlib.h>

#include "ctl/commands.h"
#include "ctl/request/consumer.h"

int claim_send(struct requests *requests, json_t *params, const char *repeat,
               const struct options *options, struct arena *arena)
{
    struct provider_names names = {.requests = requests};
    json_t *shown = json_copy(params);
    const char *uuid = json_string_value(json_object_get(shown, "consumer_uuid"));
    json_t *result = request_result(requests, COMMAND_ALLOCATION_SET, params, repeat);
    if (result != NULL && options->json) {
        print_json(result);
    } else if (result != NULL) {
        (void)json_object_set(shown, "consumer_generation",
                              json_object_get(result, "consumer_generation"));
        consumer_print(uuid, shown, &names, options, arena);
    }
    json_decref(shown);
    return result != NULL ? EXIT_SUCCESS : EXIT_FAILED;
}
