/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/desk/sender.h"

#include <string.h>

#include "common/host/random.h"

enum { CONFIRM_TIMEOUT_MS = 30000 };

/* The broker closes the channel with a text that names the property, and the principal. */
static void explain(const struct client *client, struct error *error)
{
    struct error cause = *error;
    if (strstr(error->text, "user_id") == NULL)
        return;
    struct text user = client_user(client);
    error_set(error,
              "the broker's user '%.*s' may not publish as others: it needs the tag 'impersonator' "
              "(rabbitmqctl set_user_tags %.*s impersonator, with the tags that it has): %s",
              TEXT_ARGS(user), TEXT_ARGS(user), cause.text);
}

bool sender_check(const struct desk *desk, struct client *client, struct text principal,
                  struct error *error)
{
    struct uuid_text nowhere = uuid_format(random_uuid());
    struct outgoing probe = {
        .exchange = desk->settings->amqp_exchange,
        .routing_key = text_of(nowhere.chars),
        .mandatory = true,
        .properties = {.user_id = principal},
        .body = text_of(""),
    };
    enum client_outcome outcome = CLIENT_RETURNED;
    if (!text_present(principal) || text_equal(principal, client_user(client)))
        return true;
    if (client_publish(client, &probe, CONFIRM_TIMEOUT_MS, &outcome, error))
        return true;
    explain(client, error);
    return false;
}

bool sender_send(struct client *client, const struct outgoing *outgoing, struct error *error)
{
    if (client_send(client, outgoing, error))
        return true;
    explain(client, error);
    return false;
}

bool sender_confirm(const struct desk *desk, struct client *client, struct error *error)
{
    enum client_outcome outcome = CLIENT_CONFIRMED;
    if (!client_confirm(client, CONFIRM_TIMEOUT_MS, &outcome, error)) {
        explain(client, error);
        return false;
    }
    switch (outcome) {
    case CLIENT_CONFIRMED: return true;
    case CLIENT_RETURNED:
        error_set(error,
                  "unroutable: no queue is bound to the exchange %.*s with the routing key %.*s; "
                  "see 'allotctl topology check'",
                  TEXT_ARGS(desk->settings->amqp_exchange), TEXT_ARGS(desk->settings->amqp_queue));
        return false;
    case CLIENT_NACKED:
        error_set(error, "the broker did not take a command (nack); its log says why");
        return false;
    }
    return false;
}
