/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "ctl/commands.h"
#include "ctl/request/arguments.h"
#include "ctl/request/consumer.h"

static int show_consumer(struct requests *requests, const char *uuid, const struct options *options,
                         struct arena *arena)
{
    struct provider_names names = {.requests = requests};
    json_t *consumer = consumer_read(requests, uuid);
    if (consumer == NULL)
        return EXIT_FAILED;
    if (options->json)
        print_json(consumer);
    else
        consumer_print(uuid, consumer, &names, options, arena);
    return EXIT_SUCCESS;
}

int consumer_show_command(const struct options *options, struct arena *arena)
{
    struct uuid uuid;
    if (!argument_uuid(options, "CONSUMER", &uuid))
        return EXIT_USAGE;
    struct requests *requests = requests_open(options, arena);
    int status = requests != NULL ? show_consumer(requests, uuid_format(uuid).chars, options, arena)
                                  : EXIT_FAILED;
    requests_close(requests);
    return status;
}
