/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks stand in the order of precedence of their failures, since the first failure is the
 * answer:
 *
 *   decode        too_large, then (body_parse.c) malformed
 *   check_sender  missing_message_id, unauthenticated
 *   check_known   unsupported_version, unknown_command
 *   check_valid   invalid: the deadline, the envelope, the params (command_codec.c)
 *
 * Each check sets the verdict and returns false on failure. What is known of the request before
 * (principal, message id, reply_to, deadline) is filled in first, by request_of, because a failure
 * needs it too. The fingerprint is taken last, of a valid body.
 *
 * Not here: whether the policy allows the command. The planner decides that, since it depends on
 * the stored state; only reply_to of a failed command is checked here.
 */
#include "common/codec/command_decode.h"

#include <inttypes.h>

#include "allot/limits.h"
#include "common/codec/body_parse.h"
#include "common/codec/command_codec.h"
#include "common/codec/digest.h"
#include "common/codec/text_cut.h"
#include "common/core/message_id.h"

enum { VERSION = 1, MESSAGE_POINTER_BYTES = 200 };

/* The members of a body, none of them checked yet. */
struct envelope {
    struct json_place root;
    struct json_place version;
    struct json_place command;
    struct json_place params;
};

/* Returns the message id if it is valid, otherwise the absent text. */
static struct text key_of(const struct delivery *delivery)
{
    struct text id = delivery->properties.message_id;
    return message_id_is_valid(id) ? id : TEXT_NONE;
}

/* An empty principal or reply_to is the same as none. */
static struct text unless_empty(struct text text)
{
    return text.length > 0 ? text : TEXT_NONE;
}

/* Without trust in user_id, it is never used, not even if there is no default principal. */
static struct text principal_of(const struct decode_context *context,
                                const struct delivery *delivery)
{
    return unless_empty(context->trust_user_id ? delivery->properties.user_id
                                               : context->default_principal);
}

static struct request request_of(const struct decode_context *context,
                                 const struct delivery *delivery)
{
    return (struct request){
        .principal = principal_of(context, delivery),
        .key = key_of(delivery),
        .reply_to = unless_empty(delivery->properties.reply_to),
        .has_deadline = delivery->deadline == HEADER_INTEGER,
        .deadline_ms = delivery->deadline == HEADER_INTEGER ? delivery->deadline_ms : 0,
    };
}

static bool check_size(const struct delivery *delivery, struct arena *arena,
                       struct verdict *verdict)
{
    uint64_t size = delivery->cut_size > 0 ? delivery->cut_size : delivery->body.length;
    if (size <= BODY_BYTES_MAX)
        return true;
    verdict_refuse(verdict, arena, VERDICT_TOO_LARGE,
                   "body too large: %" PRIu64 " bytes (limit %d)", size, BODY_BYTES_MAX);
    verdict_add_integer(verdict, "size", size > INT64_MAX ? INT64_MAX : (int64_t)size);
    verdict_add_integer(verdict, "limit", BODY_BYTES_MAX);
    return false;
}

static void refuse_malformed(struct text reason, struct arena *arena, struct verdict *verdict)
{
    verdict_refuse(verdict, arena, VERDICT_MALFORMED, "%.*s", TEXT_ARGS(reason));
    verdict_add_text(verdict, "reason", reason);
}

static bool check_sender(const struct decode_context *context, struct arena *arena,
                         struct decoded *decoded)
{
    const struct request *request = &decoded->request;
    if (!text_present(request->key)) {
        verdict_refuse(&decoded->verdict, arena, VERDICT_MISSING_MESSAGE_ID,
                       "message_id is required: 1 to %d bytes of printable ASCII",
                       MESSAGE_ID_BYTES_MAX);
        return false;
    }
    struct text principal = request->principal;
    if (!text_present(principal))
        verdict_refuse(&decoded->verdict, arena, VERDICT_UNAUTHENTICATED, "missing user_id");
    else if (policy_principal(context->policy, principal) == NULL)
        verdict_refuse(&decoded->verdict, arena, VERDICT_UNAUTHENTICATED,
                       "unknown principal '%.*s'", TEXT_ARGS(principal));
    else
        return true;
    return false;
}

/* Fails with unsupported_version or unknown_command, which take precedence over invalid. */
static bool check_known(const struct envelope *envelope, struct arena *arena,
                        struct decoded *decoded)
{
    const json_t *version = envelope->version.value;
    if (json_is_integer(version) && json_integer_value(version) != VERSION) {
        int64_t given = json_integer_value(version);
        verdict_refuse(&decoded->verdict, arena, VERDICT_UNSUPPORTED_VERSION,
                       "unsupported version: %lld (supported: %d)", (long long)given, VERSION);
        verdict_add_integer(&decoded->verdict, "given", given);
        verdict_add_integer(&decoded->verdict, "supported", VERSION);
        return false;
    }
    if (!text_present(decoded->command) ||
        command_parse(decoded->command, &decoded->request.command.kind))
        return true;
    struct text shown = text_cut(decoded->command, MESSAGE_POINTER_BYTES);
    verdict_refuse(&decoded->verdict, arena, VERDICT_UNKNOWN_COMMAND, "unknown command '%.*s'",
                   TEXT_ARGS(shown));
    verdict_add_text(&decoded->verdict, "given", decoded->command);
    return false;
}

static bool check_deadline(struct json_reader *reader, const struct delivery *delivery)
{
    if (delivery->deadline != HEADER_WRONG_TYPE)
        return true;
    reader->pointer = text_of("/headers/x-allot-deadline");
    reader->reason = "must be an integer";
    return false;
}

static bool read_envelope(struct json_reader *reader, const struct envelope *envelope,
                          struct decoded *decoded)
{
    static const char *const known[] = {"version", "command", "params", NULL};
    int64_t version = 0;
    struct text command = TEXT_NONE;
    return json_read_object(reader, &envelope->root, known) &&
           json_read_integer(reader, &envelope->version, JSON_ANY_INTEGER, &version) &&
           json_read_text(reader, &envelope->command, &command) &&
           command_read_params(reader, &envelope->params, &decoded->request.command);
}

static bool check_valid(const struct envelope *envelope, const struct delivery *delivery,
                        struct arena *arena, struct decoded *decoded)
{
    struct json_reader reader = {.arena = arena, .scratch = arena_new(0)};
    bool valid = check_deadline(&reader, delivery) && read_envelope(&reader, envelope, decoded);
    arena_free(reader.scratch);
    if (valid)
        return true;
    struct text shown = text_cut(reader.pointer, MESSAGE_POINTER_BYTES);
    verdict_refuse(&decoded->verdict, arena, VERDICT_INVALID, "%.*s %s", TEXT_ARGS(shown),
                   reader.reason);
    verdict_add_text(&decoded->verdict, "pointer", reader.pointer);
    verdict_add_text(&decoded->verdict, "reason", text_of(reader.reason));
    return false;
}

/* Returns the command of the body, known or not, in the arena; absent if it is not a string. */
static struct text name_given(const struct json_place *command, struct arena *arena)
{
    if (!json_is_string(command->value))
        return TEXT_NONE;
    return text_copy(arena, json_text(command->value));
}

static bool decode_body(const struct decode_context *context, const struct delivery *delivery,
                        const json_t *body, struct arena *arena, struct decoded *decoded)
{
    struct envelope envelope = {.root = {.value = body}};
    envelope.version = json_member(&envelope.root, "version");
    envelope.command = json_member(&envelope.root, "command");
    envelope.params = json_member(&envelope.root, "params");
    decoded->command = name_given(&envelope.command, arena);

    if (!check_sender(context, arena, decoded) || !check_known(&envelope, arena, decoded) ||
        !check_valid(&envelope, delivery, arena, decoded))
        return false;
    decoded->request.fingerprint = fingerprint_of_json(body);
    return true;
}

static bool decode(const struct decode_context *context, const struct delivery *delivery,
                   struct arena *arena, struct decoded *decoded)
{
    if (!check_size(delivery, arena, &decoded->verdict))
        return false;
    struct text reason = TEXT_NONE;
    json_t *body = body_parse(delivery, arena, &reason);
    if (body == NULL) {
        refuse_malformed(reason, arena, &decoded->verdict);
        return false;
    }
    bool accepted = decode_body(context, delivery, body, arena, decoded);
    json_decref(body);
    return accepted;
}

void command_decode(const struct decode_context *context, const struct delivery *delivery,
                    struct arena *arena, struct decoded *ret_decoded)
{
    struct decoded decoded = {.request = request_of(context, delivery)};
    decoded.accepted = decode(context, delivery, arena, &decoded);
    const struct request *request = &decoded.request;
    decoded.verdict.reply_allowed =
        !decoded.accepted && text_present(request->reply_to) &&
        policy_allows_reply_to(context->policy, request->principal, request->reply_to);
    *ret_decoded = decoded;
}

/* A change of nothing names no document but the outcome. */
void command_identify(const struct decode_context *context, const struct delivery *delivery,
                      struct decoded *ret_decoded)
{
    struct decoded decoded = {.request = request_of(context, delivery)};
    decoded.request.undecoded = true;
    decoded.request.command.kind = COMMAND_ALLOCATION_SET;
    decoded.accepted = text_present(decoded.request.principal) && text_present(decoded.request.key);
    *ret_decoded = decoded;
}

bool command_fingerprint(const struct delivery *delivery, struct arena *arena,
                         struct fingerprint *ret_fingerprint)
{
    struct text reason = TEXT_NONE;
    json_t *body = body_parse(delivery, arena, &reason);
    if (body != NULL)
        *ret_fingerprint = fingerprint_of_json(body);
    json_decref(body);
    return body != NULL;
}
