/* SPDX-License-Identifier: Apache-2.0 */
#include "common/amqp/status.h"

struct closing closing_of(const amqp_method_t *method)
{
    if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *close = method->decoded;
        return (struct closing){close->reply_code,
                                text_view(close->reply_text.bytes, close->reply_text.len)};
    }
    if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *close = method->decoded;
        return (struct closing){close->reply_code,
                                text_view(close->reply_text.bytes, close->reply_text.len)};
    }
    return (struct closing){AMQP_REPLY_SUCCESS, text_of("unexpected method")};
}

enum transport_status status_of_library(int result, const char *what, struct error *error)
{
    error_set(error, "%s: %s", what, amqp_error_string2(result));
    switch (result) {
    case AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD:
    case AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION:
    case AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED:
    case AMQP_STATUS_SSL_PEER_VERIFY_FAILED: return TRANSPORT_REFUSED;
    default: return TRANSPORT_LOST;
    }
}

bool status_blames_content(int result)
{
    switch (result) {
    case AMQP_STATUS_BAD_AMQP_DATA: /* also a frame over the limit, and values nested too deeply */
    case AMQP_STATUS_TABLE_TOO_BIG:
    case AMQP_STATUS_UNKNOWN_CLASS: return true;
    default: return false;
    }
}

enum transport_status status_of_closing(struct closing closing, const char *what,
                                        struct error *error)
{
    error_set(error, "%s: %u %.*s", what, (unsigned int)closing.code, TEXT_ARGS(closing.text));
    switch (closing.code) {
    case AMQP_ACCESS_REFUSED:
    case AMQP_NOT_FOUND:
    case AMQP_RESOURCE_LOCKED:
    case AMQP_PRECONDITION_FAILED:
    case AMQP_NOT_ALLOWED:
    case AMQP_NOT_IMPLEMENTED: return TRANSPORT_REFUSED;
    default: return TRANSPORT_LOST;
    }
}

enum transport_status status_of_reply(amqp_rpc_reply_t reply, const char *what, struct error *error)
{
    switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL: return TRANSPORT_OK;
    case AMQP_RESPONSE_SERVER_EXCEPTION:
        return status_of_closing(closing_of(&reply.reply), what, error);
    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
        return status_of_library(reply.library_error, what, error);
    case AMQP_RESPONSE_NONE: break;
    }
    error_set(error, "%s: no reply", what);
    return TRANSPORT_LOST;
}
