/* SPDX-License-Identifier: Apache-2.0 */
#include "common/core/command_table.h"

static void forbid(struct decision *decision)
{
    const char *command = command_name(decision->request->command.kind);
    verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_FORBIDDEN,
                   "principal '%.*s' is not allowed to run '%s'",
                   TEXT_ARGS(decision->request->principal), command);
    verdict_add_text(decision->verdict, "command", text_of(command));
}

bool forbid_command(struct decision *decision)
{
    forbid(decision);
    return false;
}

bool forbid_text(struct decision *decision, const char *member, struct text value)
{
    forbid(decision);
    verdict_add_text(decision->verdict, member, value);
    return false;
}

bool forbid_uuid(struct decision *decision, const char *member, struct uuid value)
{
    forbid(decision);
    verdict_add_uuid(decision->verdict, member, value);
    return false;
}

bool ask_provider(struct decision *decision, struct policy_question *question, struct uuid provider)
{
    return policy_ask_provider(question, provider) || forbid_uuid(decision, "provider", provider);
}

/*
 * If no rule allows the command itself, the question has no rules left. The command's function then
 * fails at its first check, so `details` has the first thing that the command names.
 */
bool decide_policy(struct decision *decision)
{
    const struct request *request = decision->request;
    if (text_present(request->reply_to) && !decision->verdict->reply_allowed)
        return forbid_text(decision, "reply_to", request->reply_to);

    struct policy_question question;
    (void)policy_ask_command(&question, decision->context->policy, request->principal,
                             request->command.kind);
    return command_functions(request->command.kind)->policy(decision, &question);
}
