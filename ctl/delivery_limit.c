/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/delivery_limit.h"

#include "common/amqp/broker_version.h"

bool delivery_limit_allows_looking(struct text broker_version, int64_t limit)
{
    struct broker_version version = broker_version_read(broker_version);
    bool counts = version.major == 0 || broker_version_from(version, 4, 0);
    return !counts || limit == DELIVERY_LIMIT_NONE || limit >= DELIVERY_LIMIT_HIGH;
}

static bool find_limit(struct client *client, const char *queue, int32_t *ret_limit,
                       struct error *error)
{
    const int32_t limits[] = {DELIVERY_LIMIT_HIGH, DELIVERY_LIMIT_NONE};
    *ret_limit = DELIVERY_LIMIT_UNKNOWN;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        bool has = false;
        if (!client_has_delivery_limit(client, queue, limits[i], &has, error))
            return false;
        if (has) {
            *ret_limit = limits[i];
            return true;
        }
    }
    return true;
}

bool delivery_limit_check(struct client *client, const char *queue, struct error *error)
{
    struct text version = client_broker_version(client);
    int32_t limit = DELIVERY_LIMIT_UNKNOWN;
    if (delivery_limit_allows_looking(version, limit))
        return true;
    if (!find_limit(client, queue, &limit, error))
        return false;
    if (delivery_limit_allows_looking(version, limit))
        return true;
    error_set(
        error,
        "queue %s: refused, because RabbitMQ %.*s removes messages that are requeued too often, "
        "and the limit of the queue is not known to be high enough (expected x-delivery-limit %d "
        "or %d as the only argument beside x-queue-type); use 'allotctl letter list'",
        queue, TEXT_ARGS(version), DELIVERY_LIMIT_HIGH, DELIVERY_LIMIT_NONE);
    return false;
}
