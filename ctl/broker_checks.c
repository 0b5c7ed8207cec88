/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Each check asks the management API once (ask), and looks at the answer. ask() itself adds
 * an unknown check if there is no answer: no URI was given, the user may not see it, or the broker
 * cannot be reached. So a check is only about what it found.
 *
 *   bindings      the three of docs/protocol.md, section 1
 *   policies      what is in force for each queue, key by key (policy_rules)
 *   permissions   the worker's three patterns against the names that it uses (permissions.c)
 *   limits        consumer_timeout and max_message_size, which no API shows
 *   flags         feature flags that are disabled
 *   alarms        memory and disk
 *
 * Guarantees. Everything is read only. A check never passes because something could not be read.
 */
#include "ctl/broker_checks.h"

#include <stdlib.h>

#include "allot/limits.h"
#include "ctl/delivery_limit.h"
#include "ctl/name_pattern.h"
#include "ctl/permissions.h"

enum {
    CONSUMER_TIMEOUT_MS_MIN = 300000,
    /* From this version on, a policy can set the consumer timeout of a queue. */
    TIMEOUT_POLICY_MAJOR = 3,
    TIMEOUT_POLICY_MINOR = 12
};

static void add(const struct broker_checks *checks, enum check_state state, struct text subject,
                struct text finding, struct text remedy)
{
    check_list_add(checks->list, (struct check){state, subject, finding, remedy});
}

static void add_ok(const struct broker_checks *checks, struct text subject)
{
    add(checks, CHECK_OK, subject, text_of(""), text_of(""));
}

/* --- asking --------------------------------------------------------------------------------- */

static struct text reason_of(const struct broker_checks *checks, long status,
                             const struct error *error)
{
    struct arena *arena = checks->list->arena;
    if (checks->management == NULL)
        return text_of("AMQP does not show it; give --management-uri, or ask on the broker");
    if (status == 0)
        return text_format(arena, "%s", error->text);
    if (status == HTTP_UNAUTHORIZED || status == HTTP_FORBIDDEN)
        return text_format(arena, "the user of the management API may not see it (HTTP %ld)",
                           status);
    return text_format(arena, "unexpected answer of the management API (HTTP %ld)", status);
}

struct question {
    struct text subject;
    struct text path;
    json_type type;      /* of an answer with status 200 */
    long other;          /* another status that is an answer; 0: none */
    struct text command; /* that answers it as well */
};

/*
 * Returns the answer, which the caller releases. If there is none, or it has another type, returns
 * NULL, and has added an unknown check with the command.
 */
static json_t *ask(const struct broker_checks *checks, const struct question *question,
                   long *ret_status)
{
    struct error error = {""};
    json_t *json = NULL;
    *ret_status = 0;
    if (checks->management != NULL)
        *ret_status = management_get(checks->management, question->path, &json, &error);
    if (json != NULL && ((*ret_status == HTTP_OK && json_typeof(json) == question->type) ||
                         (question->other != 0 && *ret_status == question->other)))
        return json;
    json_decref(json);
    add(checks, CHECK_UNKNOWN, question->subject, reason_of(checks, *ret_status, &error),
        question->command);
    return NULL;
}

static struct text escape(const struct broker_checks *checks, struct text name)
{
    return checks->management == NULL
               ? text_of("")
               : management_escape(checks->management, checks->list->arena, name);
}

static struct text text_member(const json_t *object, const char *name, struct arena *arena)
{
    const char *string = json_string_value(json_object_get(object, name));
    return text_copy(arena, text_of(string != NULL ? string : ""));
}

/* Returns the list "a, b" with one more name. */
static struct text with_name(struct arena *arena, struct text names, struct text name)
{
    return text_format(arena, "%.*s%s%.*s", TEXT_ARGS(names), names.length > 0 ? ", " : "",
                       TEXT_ARGS(name));
}

/* --- bindings ------------------------------------------------------------------------------- */

static bool has_routing_key(const json_t *bindings, struct text key)
{
    size_t index;
    json_t *binding;
    json_array_foreach(bindings, index, binding)
    {
        const char *found = json_string_value(json_object_get(binding, "routing_key"));
        if (found != NULL && text_is(key, found))
            return true;
    }
    return false;
}

static void check_binding(const struct broker_checks *checks, struct text exchange,
                          struct text queue)
{
    struct arena *arena = checks->list->arena;
    long status = 0;
    struct question question = {.type = JSON_ARRAY, .other = HTTP_NOT_FOUND};
    question.subject = text_format(arena, "binding of queue %.*s to exchange %.*s",
                                   TEXT_ARGS(queue), TEXT_ARGS(exchange));
    question.path =
        text_format(arena, "bindings/%.*s/e/%.*s/q/%.*s", TEXT_ARGS(escape(checks, checks->vhost)),
                    TEXT_ARGS(escape(checks, exchange)), TEXT_ARGS(escape(checks, queue)));
    question.command = text_format(
        arena, "rabbitmqctl list_bindings -p %.*s source_name destination_name routing_key",
        TEXT_ARGS(checks->vhost_word));
    json_t *bindings = ask(checks, &question, &status);
    if (bindings == NULL)
        return;
    if (status == HTTP_OK && has_routing_key(bindings, queue))
        add_ok(checks, question.subject);
    else
        add(checks, CHECK_DIFFERENT, question.subject,
            text_format(arena, "there is none with the routing key %.*s", TEXT_ARGS(queue)),
            text_of("allotctl topology declare"));
    json_decref(bindings);
}

static void check_bindings(const struct broker_checks *checks)
{
    const struct topology *topology = &checks->topology;
    check_binding(checks, topology->exchange, topology->queue);
    check_binding(checks, topology->dead_letter_exchange, topology->dead_letter_queue);
    check_binding(checks, topology->dead_letter_exchange, topology->desk_queue);
}

/* --- policies ------------------------------------------------------------------------------- */

/* A key of a policy that does harm. */
struct policy_rule {
    const char *key;
    bool commands;     /* in the command queue */
    bool dead_letters; /* in the dead-letter queue and the desk queue */
    enum check_state state;
    int64_t at_least; /* no harm from this value on; 0: every value does harm */
    const char *harm;
};

static const struct policy_rule policy_rules[] = {
    {"delivery-limit", true, true, CHECK_DIFFERENT, DELIVERY_LIMIT_HIGH,
     "the broker removes a message after so many deliveries"},
    {"expires", true, true, CHECK_DIFFERENT, 0, "the broker deletes a queue that is not used"},
    {"message-ttl", true, false, CHECK_WARNING, 0,
     "a command that waits longer becomes a dead letter of the broker, and gets no reply"},
    {"message-ttl", false, true, CHECK_WARNING, 0, "a dead letter that waits longer is dropped"},
    {"consumer-timeout", true, true, CHECK_DIFFERENT, CONSUMER_TIMEOUT_MS_MIN,
     "the broker ends the worker's subscription while a command waits for the database"},
    {"dead-letter-exchange", false, true, CHECK_DIFFERENT, 0,
     "what is dropped here is published a second time"},
};

/* Limits of a queue that drops its oldest message, which is the default. */
static const char *const length_keys[] = {"max-length", "max-length-bytes"};

/* One policy that is in force for a queue. */
struct policed {
    struct text subject; /* "policies of queue allot.dead" */
    struct text policy;  /* "operator policy NAME" */
    const char *setter;  /* the command of rabbitmqctl that changes it */
    const json_t *definition;
    const char *overflow; /* of the users' policy, since no operator policy has it; NULL: none */
    bool commands;        /* the queue is that of the commands */
    size_t findings;
};

static void add_policy(const struct broker_checks *checks, struct policed *policed,
                       enum check_state state, const char *key, const json_t *value,
                       const char *harm, struct text better)
{
    struct arena *arena = checks->list->arena;
    char *shown = json_dumps(value, JSON_ENCODE_ANY);
    policed->findings++;
    add(checks, state, policed->subject,
        text_format(arena, "%.*s has %s %s: %s", TEXT_ARGS(policed->policy), key,
                    shown != NULL ? shown : "?", harm),
        better);
    free(shown);
}

static void apply_rule(const struct broker_checks *checks, struct policed *policed,
                       const struct policy_rule *rule)
{
    const json_t *value = json_object_get(policed->definition, rule->key);
    if (value == NULL || !(policed->commands ? rule->commands : rule->dead_letters))
        return;
    json_int_t number = json_integer_value(value);
    if (rule->at_least > 0 && json_is_integer(value) && (number < 0 || number >= rule->at_least))
        return;
    struct text better = rule->at_least > 0
                             ? text_format(checks->list->arena,
                                           "set %s to %lld or more, or remove it (rabbitmqctl %s)",
                                           rule->key, (long long)rule->at_least, policed->setter)
                             : text_format(checks->list->arena, "remove %s (rabbitmqctl %s)",
                                           rule->key, policed->setter);
    add_policy(checks, policed, rule->state, rule->key, value, rule->harm, better);
}

/* The command queue has x-overflow as an argument, which is stronger than a policy. */
static void check_lengths(const struct broker_checks *checks, struct policed *policed)
{
    if (policed->commands || text_is(text_of(policed->overflow), "reject-publish"))
        return;
    for (size_t i = 0; i < sizeof length_keys / sizeof length_keys[0]; i++) {
        const json_t *value = json_object_get(policed->definition, length_keys[i]);
        if (value != NULL)
            add_policy(checks, policed, CHECK_DIFFERENT, length_keys[i], value,
                       "a full queue drops its oldest dead letter",
                       text_of("set overflow to reject-publish (rabbitmqctl set_policy)"));
    }
}

enum applies { APPLIES, APPLIES_NOT, APPLIES_PERHAPS };

/* Says whether a policy applies to a queue. PERHAPS: it has a form that is not known here. */
static enum applies applies_to(const json_t *policy, struct text queue, struct arena *arena)
{
    static const char *const ours[] = {"all", "queues", "quorum_queues"};
    static const char *const others[] = {"exchanges", "classic_queues", "streams"};
    struct text to = text_member(policy, "apply-to", arena);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (text_is(to, others[i]))
            return APPLIES_NOT;
    }
    bool known = json_is_string(json_object_get(policy, "pattern")) &&
                 json_is_integer(json_object_get(policy, "priority"));
    for (size_t i = 0; known && i < sizeof ours / sizeof ours[0]; i++) {
        if (!text_is(to, ours[i]))
            continue;
        switch (name_pattern_matches(text_member(policy, "pattern", arena), queue)) {
        case PATTERN_MATCHES: return APPLIES;
        case PATTERN_DIFFERS: return APPLIES_NOT;
        case PATTERN_UNREADABLE: return APPLIES_PERHAPS;
        }
    }
    return APPLIES_PERHAPS;
}

/* Sets `ret_policy` to the policy of the list that is in force for the queue; NULL if none is.
   Returns the reason if that cannot be said; NULL otherwise. */
static const char *find_policy(const json_t *list, struct text queue, struct arena *arena,
                               const json_t **ret_policy)
{
    size_t index;
    json_t *policy;
    json_int_t highest = 0;
    bool twice = false;
    *ret_policy = NULL;
    json_array_foreach(list, index, policy)
    {
        json_int_t priority = json_integer_value(json_object_get(policy, "priority"));
        enum applies applies = applies_to(policy, queue, arena);
        if (applies == APPLIES_PERHAPS)
            return "one of them has a form or a pattern that allotctl cannot read";
        if (applies == APPLIES_NOT || (*ret_policy != NULL && priority < highest))
            continue;
        twice = *ret_policy != NULL && priority == highest;
        *ret_policy = policy;
        highest = priority;
    }
    return twice ? "two of them have the same priority, and the broker takes either" : NULL;
}

/* A list of policies: those of the users of the virtual host, or those of the operator. */
struct policy_list {
    const char *kind;
    const char *plural;
    const char *setter;
    const json_t *policies;
};

/* Adds what is to say of one list for one queue. Returns the definition that is in force. */
static const json_t *check_list_of_policies(const struct broker_checks *checks,
                                            const struct policy_list *list, struct text queue,
                                            struct policed *policed)
{
    struct arena *arena = checks->list->arena;
    const json_t *policy = NULL;
    const char *unclear = find_policy(list->policies, queue, arena, &policy);
    if (unclear != NULL) {
        policed->findings++;
        add(checks, CHECK_UNKNOWN, policed->subject,
            text_format(arena, "%s: %s", list->plural, unclear),
            text_format(arena,
                        "compare by hand: rabbitmqctl list_policies -p %.*s, and "
                        "list_operator_policies",
                        TEXT_ARGS(checks->vhost_word)));
        return NULL;
    }
    policed->definition = json_object_get(policy, "definition");
    policed->setter = list->setter;
    policed->policy =
        text_format(arena, "%s %.*s", list->kind, TEXT_ARGS(text_member(policy, "name", arena)));
    for (size_t i = 0; i < sizeof policy_rules / sizeof policy_rules[0]; i++)
        apply_rule(checks, policed, &policy_rules[i]);
    return policed->definition;
}

/* The users' list comes first, since its policy has `overflow`. */
static void check_policy(const struct broker_checks *checks, const struct policy_list lists[2],
                         struct text queue, bool commands)
{
    struct policed policed = {.commands = commands};
    policed.subject = text_format(checks->list->arena, "policies of queue %.*s", TEXT_ARGS(queue));
    for (size_t i = 0; i < 2; i++) {
        const json_t *definition = check_list_of_policies(checks, &lists[i], queue, &policed);
        if (i == 0)
            policed.overflow = json_string_value(json_object_get(definition, "overflow"));
        if (definition != NULL)
            check_lengths(checks, &policed);
    }
    if (policed.findings == 0)
        add_ok(checks, policed.subject);
}

static json_t *ask_policies(const struct broker_checks *checks, const char *kind,
                            const char *command)
{
    struct arena *arena = checks->list->arena;
    long status = 0;
    struct question question = {.subject = text_of(kind), .type = JSON_ARRAY};
    question.path = text_format(arena, "%s/%.*s", kind, TEXT_ARGS(escape(checks, checks->vhost)));
    question.command =
        text_format(arena, "rabbitmqctl %s -p %.*s", command, TEXT_ARGS(checks->vhost_word));
    return ask(checks, &question, &status);
}

/* The lists are read, not the effective policy of a queue: that one is some seconds old. */
static void check_policies(const struct broker_checks *checks)
{
    json_t *users = ask_policies(checks, "policies", "list_policies");
    json_t *operators = ask_policies(checks, "operator-policies", "list_operator_policies");
    const struct policy_list lists[2] = {
        {"policy", "policies", "set_policy", users},
        {"operator policy", "operator policies", "set_operator_policy", operators}};
    if (users != NULL && operators != NULL) {
        check_policy(checks, lists, checks->topology.queue, true);
        check_policy(checks, lists, checks->topology.dead_letter_queue, false);
        check_policy(checks, lists, checks->topology.desk_queue, false);
    }
    json_decref(users);
    json_decref(operators);
}

/* --- permissions ---------------------------------------------------------------------------- */

/* The names that a pattern does not match, and whether it can be read at all. */
struct denied {
    struct text names;
    bool unreadable;
};

/* An empty pattern of a permission grants nothing. */
static struct denied list_denied(struct text pattern, const struct permissions *needed,
                                 struct arena *arena)
{
    struct denied denied = {text_of(""), false};
    struct text read = pattern.length > 0 ? pattern : text_of("^$");
    for (size_t i = 0; i < needed->count; i++) {
        enum pattern_answer answer = name_pattern_matches(read, needed->names[i]);
        denied.unreadable |= answer == PATTERN_UNREADABLE;
        if (answer == PATTERN_DIFFERS)
            denied.names = with_name(arena, denied.names, needed->names[i]);
    }
    return denied;
}

/* `command` shows all patterns. */
static void check_permission(const struct broker_checks *checks, const json_t *granted,
                             const struct permissions *needed, struct text command)
{
    struct arena *arena = checks->list->arena;
    struct text pattern = text_member(granted, needed->kind, arena);
    struct text subject =
        text_format(arena, "permission to %s of user %.*s", needed->kind, TEXT_ARGS(checks->user));
    struct denied denied = list_denied(pattern, needed, arena);
    if (denied.unreadable)
        add(checks, CHECK_UNKNOWN, subject,
            text_format(arena, "allotctl cannot read the pattern %.*s", TEXT_ARGS(pattern)),
            text_format(arena, "compare it by hand: %.*s", TEXT_ARGS(command)));
    else if (denied.names.length > 0)
        add(checks, CHECK_DIFFERENT, subject,
            text_format(arena, "the pattern '%.*s' does not match: %.*s", TEXT_ARGS(pattern),
                        TEXT_ARGS(denied.names)),
            text_format(arena,
                        "rabbitmqctl set_permissions -p %.*s %.*s CONFIGURE WRITE READ "
                        "(it sets all three patterns)",
                        TEXT_ARGS(checks->vhost_word), TEXT_ARGS(checks->user_word)));
    else
        add_ok(checks, subject);
}

/* Returns whether the user is in the broker's own database. If not, adds an unknown check: no API
   shows the permissions of a user from LDAP or OAuth 2. */
static bool is_known_user(const struct broker_checks *checks, const struct question *permissions)
{
    long status = 0;
    struct question question = *permissions;
    question.type = JSON_OBJECT;
    question.path =
        text_format(checks->list->arena, "users/%.*s", TEXT_ARGS(escape(checks, checks->user)));
    json_t *user = ask(checks, &question, &status);
    if (user != NULL && status == HTTP_NOT_FOUND)
        add(checks, CHECK_UNKNOWN, question.subject,
            text_of("the user is not in the broker's own database; another backend decides"),
            question.command);
    bool known = user != NULL && status == HTTP_OK;
    json_decref(user);
    return known;
}

static void check_permissions(const struct broker_checks *checks)
{
    struct arena *arena = checks->list->arena;
    struct permissions needed[PERMISSION_KINDS];
    long status = 0;
    struct question question = {.type = JSON_OBJECT, .other = HTTP_NOT_FOUND};
    question.subject = text_format(arena, "permissions of user %.*s", TEXT_ARGS(checks->user));
    question.path =
        text_format(arena, "permissions/%.*s/%.*s", TEXT_ARGS(escape(checks, checks->vhost)),
                    TEXT_ARGS(escape(checks, checks->user)));
    question.command =
        text_format(arena, "rabbitmqctl list_permissions -p %.*s", TEXT_ARGS(checks->vhost_word));
    json_t *granted = ask(checks, &question, &status);
    permissions_needed(&checks->topology, checks->declares, needed);
    /* Of a user without permissions in the virtual host the status is 404; no pattern matches. */
    if (granted != NULL && (status == HTTP_OK || is_known_user(checks, &question))) {
        for (size_t i = 0; i < PERMISSION_KINDS; i++) {
            if (needed[i].count > 0)
                check_permission(checks, granted, &needed[i], question.command);
        }
    }
    json_decref(granted);
}

/* --- limits, flags, alarms ------------------------------------------------------------------ */

static void check_limits(const struct broker_checks *checks)
{
    struct arena *arena = checks->list->arena;
    bool by_policy =
        broker_version_from(checks->version, TIMEOUT_POLICY_MAJOR, TIMEOUT_POLICY_MINOR);
    add(checks, CHECK_UNKNOWN, text_of("consumer_timeout"),
        text_format(arena,
                    "the broker shows it to no client; it should be %d ms or more, and is set %s",
                    CONSUMER_TIMEOUT_MS_MIN,
                    by_policy ? "in rabbitmq.conf, or by the policy key consumer-timeout"
                              : "in rabbitmq.conf"),
        text_of("rabbitmqctl eval 'application:get_env(rabbit, consumer_timeout).'"));
    add(checks, CHECK_UNKNOWN, text_of("max_message_size"),
        text_format(arena,
                    "the broker shows it to no client; it has to be %d bytes or more for the "
                    "largest replies. Its default is %s; it is set in rabbitmq.conf",
                    REPLY_BYTES_MAX,
                    broker_version_from(checks->version, 4, 0) ? "16 MiB" : "128 MiB"),
        text_of("rabbitmqctl eval 'application:get_env(rabbit, max_message_size).'"));
}

/* Flags of plugins may stay disabled; those of the broker itself are needed for its next version.
 */
static struct text list_disabled(const json_t *flags, struct arena *arena)
{
    struct text names = text_of("");
    size_t index;
    json_t *flag;
    json_array_foreach(flags, index, flag)
    {
        if (text_is(text_member(flag, "state", arena), "disabled") &&
            text_is(text_member(flag, "stability", arena), "stable") &&
            text_is(text_member(flag, "provided_by", arena), "rabbit"))
            names = with_name(arena, names, text_member(flag, "name", arena));
    }
    return names;
}

static void check_flags(const struct broker_checks *checks)
{
    struct arena *arena = checks->list->arena;
    long status = 0;
    struct question question = {.subject = text_of("feature flags"),
                                .path = text_of("feature-flags"),
                                .type = JSON_ARRAY,
                                .command = text_of("rabbitmqctl list_feature_flags name state")};
    json_t *flags = ask(checks, &question, &status);
    if (flags == NULL)
        return;
    struct text disabled = list_disabled(flags, arena);
    if (disabled.length == 0)
        add_ok(checks, question.subject);
    else
        add(checks, CHECK_WARNING, question.subject,
            text_format(arena, "disabled: %.*s; the next version of the broker needs them",
                        TEXT_ARGS(disabled)),
            text_of("rabbitmqctl enable_feature_flag all"));
    json_decref(flags);
}

static void check_alarms(const struct broker_checks *checks)
{
    struct arena *arena = checks->list->arena;
    long status = 0;
    struct question question = {.subject = text_of("alarms"),
                                .path = text_of("health/checks/alarms"),
                                .type = JSON_OBJECT,
                                .other = HTTP_UNAVAILABLE,
                                .command = text_of("rabbitmq-diagnostics alarms")};
    json_t *answer = ask(checks, &question, &status);
    if (answer == NULL)
        return;
    if (text_is(text_member(answer, "status", arena), "ok"))
        add_ok(checks, question.subject);
    else
        add(checks, CHECK_DIFFERENT, question.subject,
            text_format(arena, "the broker takes no messages: %.*s",
                        TEXT_ARGS(text_member(answer, "reason", arena))),
            text_of(
                "free memory or disk space on the node that rabbitmq-diagnostics alarms names"));
    json_decref(answer);
}

void broker_checks_run(const struct broker_checks *checks)
{
    check_bindings(checks);
    check_policies(checks);
    check_permissions(checks);
    check_limits(checks);
    check_flags(checks);
    check_alarms(checks);
}
