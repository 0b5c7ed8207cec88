/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/commands.h"
#include "ctl/request/arguments.h"
#include "ctl/request/request.h"

static int release(struct requests *requests, const char *consumer, const struct options *options)
{
    json_t *params = json_pack("{s:s}", "consumer_uuid", consumer);
    if (options->generation_given)
        (void)json_object_set_new(params, "consumer_generation",
                                  json_integer((json_int_t)options->generation));
    const json_t *result = request_result(requests, COMMAND_ALLOCATION_DELETE, params, "");
    if (result == NULL)
        return EXIT_FAILED;
    if (options->json)
        print_json(result);
    else
        (void)printf("released all allocations of consumer %s\n", consumer);
    return EXIT_SUCCESS;
}

int release_command(const struct options *options, struct arena *arena)
{
    struct uuid uuid;
    if (!argument_uuid(options, "CONSUMER", &uuid) || !argument_key_valid(options))
        return EXIT_USAGE;
    struct uuid_text consumer = uuid_format(uuid);
    struct text question =
        text_format(arena, "Release all allocations of the consumer %s?", consumer.chars);
    if (!argument_confirmed(options, question.bytes))
        return EXIT_FAILED;
    struct requests *requests = requests_open(options, arena);
    int status = requests != NULL ? release(requests, consumer.chars, options) : EXIT_FAILED;
    requests_close(requests);
    return status;
}
