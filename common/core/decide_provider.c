/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands that change the set of providers: provider.create, .update and .delete.
 *
 * Structure: the policy's questions and the read set, which the three commands share; then the
 * rules, then one section for each command. The functions of trees are in tree.c.
 *
 * Guarantees:
 * - Names and trees of the snapshot follow each command, so that the next one is decided as if this
 *   one were stored. The worker gives each of these commands a transaction of its own
 *   (MODE_EXCLUSIVE); the dry run of allotctl plans them together with others.
 * - A change of a tree writes its root provider. Two transactions that change one tree therefore
 *   write one common document, and the database lets only one of them commit. Without that write
 *   they could together make a cycle, or exceed the tree's limit (write skew).
 * - No command here changes a generation: only inventories and allocations do (decide_change.c).
 */
#include "common/core/command_table.h"

#include "allot/limits.h"
#include "common/core/tree.h"

static const struct provider_params *params_of(const struct decision *decision)
{
    return &decision->request->command.params.provider;
}

static void write_root(struct decision *decision, struct uuid root)
{
    snapshot_provider(decision->snapshot, root)->state.dirty = true;
}

/* --- the policy's questions and the read set ------------------------------------------------ */

static bool ask_providers(struct decision *decision, struct policy_question *question)
{
    const struct provider_params *params = params_of(decision);
    if (!ask_provider(decision, question, params->uuid))
        return false;
    return !params->has_parent || ask_provider(decision, question, params->parent);
}

static void want_provider(struct snapshot *snapshot, const struct command *command, size_t index)
{
    (void)index;
    snapshot_want_provider(snapshot, command->params.provider.uuid);
}

static void want_provider_parent_name(struct snapshot *snapshot, const struct command *command,
                                      size_t index)
{
    const struct provider_params *params = &command->params.provider;
    want_provider(snapshot, command, index);
    if (params->has_parent)
        snapshot_want_provider(snapshot, params->parent);
    snapshot_want_name(snapshot, params->name);
}

/* Returns false if the provider does not exist. */
static bool find_root(struct snapshot *snapshot, struct uuid id, struct uuid *ret_root)
{
    const struct provider *provider = snapshot_provider(snapshot, id);
    if (provider->state.exists)
        *ret_root = provider->root;
    return provider->state.exists;
}

/* Adding a slot may move the others, so both roots are looked up before the first slot is added.
   A provider that an earlier command on the snapshot creates has no tree to load. */
static void want_trees(struct snapshot *snapshot, const struct command *command)
{
    const struct provider_params *params = &command->params.provider;
    struct uuid roots[2];
    size_t count = find_root(snapshot, params->uuid, &roots[0]) ? 1 : 0;
    if (params->has_parent && find_root(snapshot, params->parent, &roots[count]))
        count++;
    for (size_t i = 0; i < count; i++) {
        snapshot_want_tree(snapshot, roots[i]);
        snapshot_want_provider(snapshot, roots[i]);
    }
}

/* --- the rules ------------------------------------------------------------------------------ */

void refuse_missing_providers(struct decision *decision, const struct uuid *missing, size_t count)
{
    struct uuid_text first = uuid_format(missing[0]);
    if (count == 1)
        verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_PROVIDER_NOT_FOUND,
                       "provider %s not found", first.chars);
    else
        verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_PROVIDER_NOT_FOUND,
                       "provider %s not found (and %zu more)", first.chars, count - 1);
    verdict_add_uuids(decision->verdict, "providers", missing, count);
}

/* Fills the verdict with a failure of the command's provider, and always returns false. */
static bool refuse_provider(struct decision *decision, enum verdict_code code, const char *what)
{
    struct uuid id = params_of(decision)->uuid;
    verdict_refuse(decision->verdict, decision->snapshot->arena, code, "provider %s %s",
                   uuid_format(id).chars, what);
    verdict_add_uuid(decision->verdict, "provider", id);
    return false;
}

static bool check_exists(struct decision *decision, const struct provider *provider)
{
    if (!provider->state.exists)
        refuse_missing_providers(decision, &params_of(decision)->uuid, 1);
    return provider->state.exists;
}

static bool check_tree_size(struct decision *decision, int64_t size)
{
    if (size <= TREE_PROVIDERS_MAX)
        return true;
    verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_LIMIT_EXCEEDED,
                   "provider tree too large: %lld providers (limit %d)", (long long)size,
                   TREE_PROVIDERS_MAX);
    verdict_add_integer(decision->verdict, "limit", TREE_PROVIDERS_MAX);
    verdict_add_integer(decision->verdict, "given", size);
    return false;
}

/* A command may give a provider the name that it already has. */
static bool check_name(struct decision *decision)
{
    const struct provider_params *params = params_of(decision);
    const struct name_slot *name = snapshot_name(decision->snapshot, params->name);
    if (!name->taken || uuid_equal(name->holder, params->uuid))
        return true;
    verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_PROVIDER_NAME_TAKEN,
                   "provider name '%.*s' is already in use", TEXT_ARGS(params->name));
    verdict_add_text(decision->verdict, "name", params->name);
    return false;
}

/* Returns the parent that the command names; NULL if it names none or the parent does not exist. */
static struct provider *new_parent(struct decision *decision)
{
    const struct provider_params *params = params_of(decision);
    if (!params->has_parent)
        return NULL;
    struct provider *parent = snapshot_provider(decision->snapshot, params->parent);
    return parent->state.exists ? parent : NULL;
}

static bool check_parent(struct decision *decision, bool in_own_subtree)
{
    const struct provider_params *params = params_of(decision);
    if (!params->has_parent || (new_parent(decision) != NULL && !in_own_subtree))
        return true;
    verdict_refuse(decision->verdict, decision->snapshot->arena, VERDICT_INVALID_PARENT,
                   in_own_subtree ? "parent %s is in the subtree of the provider itself"
                                  : "parent %s not found",
                   uuid_format(params->parent).chars);
    verdict_add_uuid(decision->verdict, "parent_provider_uuid", params->parent);
    return false;
}

/* --- provider.create ------------------------------------------------------------------------ */

static bool check_create(struct decision *decision, const struct provider *provider,
                         const struct provider *parent)
{
    if (parent != NULL &&
        !check_tree_size(decision, tree_size(decision->snapshot, parent->root) + 1))
        return false;
    if (provider->state.exists)
        return refuse_provider(decision, VERDICT_PROVIDER_EXISTS, "already exists");
    return check_name(decision) && check_parent(decision, false);
}

/* The result shows the provider as a copy, because later commands on the snapshot change it. */
static void show(struct decision *decision, const struct provider *provider)
{
    struct provider *copy = ARENA_NEW(decision->snapshot->arena, struct provider);
    *copy = *provider;
    decision->verdict->result.provider = copy;
}

static void decide_create(struct decision *decision)
{
    const struct provider_params *params = params_of(decision);
    struct provider *provider = snapshot_provider(decision->snapshot, params->uuid);
    const struct provider *parent = new_parent(decision);
    if (!check_create(decision, provider, parent))
        return;

    struct slot_state state = provider->state;
    state.exists = true;
    state.dirty = true;
    *provider = (struct provider){
        .id = params->uuid,
        .state = state,
        .name = params->name,
        .has_parent = params->has_parent,
        .parent = params->parent,
        .root = parent != NULL ? parent->root : params->uuid,
        .place_dirty = true,
        .records_dirty = true,
    };
    if (parent != NULL)
        write_root(decision, parent->root);
    tree_insert(decision->snapshot, provider);
    snapshot_take_name(decision->snapshot, provider->name, provider->id);
    show(decision, provider);
}

COMMAND_FUNCTIONS(PROVIDER_CREATE) = {
    .policy = ask_providers,
    .want_first = want_provider_parent_name,
    .want_second = want_trees,
    .decide = decide_create,
};

/* --- provider.update ------------------------------------------------------------------------ */

/* A provider that moves to another tree takes its whole subtree along. */
static bool check_new_tree_size(struct decision *decision, const struct provider *provider)
{
    const struct provider *parent = new_parent(decision);
    if (parent == NULL || uuid_equal(parent->root, provider->root))
        return true;
    return check_tree_size(decision, tree_size(decision->snapshot, parent->root) +
                                         tree_subtree_size(decision->snapshot, provider->id));
}

static bool check_update(struct decision *decision, const struct provider *provider)
{
    const struct provider_params *params = params_of(decision);
    if (!check_exists(decision, provider))
        return false;
    bool in_own_subtree =
        params->has_parent && tree_is_below(decision->snapshot, params->parent, params->uuid);
    return check_new_tree_size(decision, provider) && check_name(decision) &&
           check_parent(decision, in_own_subtree);
}

static void give_name(struct decision *decision, struct provider *provider)
{
    snapshot_free_name(decision->snapshot, provider->name);
    provider->name = params_of(decision)->name;
    snapshot_take_name(decision->snapshot, provider->name, provider->id);
}

static void move(struct decision *decision, struct provider *provider)
{
    const struct provider *parent = new_parent(decision);
    struct uuid old_root = provider->root;
    struct uuid new_root = parent != NULL ? parent->root : provider->id;

    provider->has_parent = parent != NULL;
    provider->parent = params_of(decision)->parent;
    provider->root = new_root;
    write_root(decision, old_root);
    write_root(decision, new_root);
    tree_move(decision->snapshot, provider);
    if (!uuid_equal(old_root, new_root))
        tree_set_root_below(decision->snapshot, provider->id, new_root);
}

static void decide_update(struct decision *decision)
{
    const struct provider_params *params = params_of(decision);
    struct provider *provider = snapshot_provider(decision->snapshot, params->uuid);
    if (!check_update(decision, provider))
        return;
    give_name(decision, provider);
    if (params->parent_given)
        move(decision, provider);
    provider->place_dirty = true;
    provider->state.dirty = true;
    show(decision, provider);
}

/* A command without the member `parent_provider_uuid` moves nothing, so it needs no tree. */
static void want_trees_of_move(struct snapshot *snapshot, const struct command *command)
{
    if (command->params.provider.parent_given)
        want_trees(snapshot, command);
}

COMMAND_FUNCTIONS(PROVIDER_UPDATE) = {
    .policy = ask_providers,
    .want_first = want_provider_parent_name,
    .want_second = want_trees_of_move,
    .decide = decide_update,
};

/* --- provider.delete ------------------------------------------------------------------------ */

static bool is_used(const struct provider *provider)
{
    for (size_t i = 0; i < provider->record_count; i++) {
        if (provider->records[i].used > 0)
            return true;
    }
    return false;
}

static bool check_delete(struct decision *decision, const struct provider *provider)
{
    if (!check_exists(decision, provider))
        return false;
    if (tree_has_children(decision->snapshot, provider->id))
        return refuse_provider(decision, VERDICT_PROVIDER_HAS_CHILDREN, "has children");
    if (is_used(provider))
        return refuse_provider(decision, VERDICT_PROVIDER_IN_USE, "has allocations");
    return true;
}

static void decide_delete(struct decision *decision)
{
    struct provider *provider = snapshot_provider(decision->snapshot, params_of(decision)->uuid);
    if (!check_delete(decision, provider))
        return;
    write_root(decision, provider->root);
    tree_remove(decision->snapshot, provider->id);
    snapshot_free_name(decision->snapshot, provider->name);
    provider->state.exists = false;
    provider->state.dirty = true;
}

COMMAND_FUNCTIONS(PROVIDER_DELETE) = {
    .policy = ask_providers,
    .want_first = want_provider,
    .want_second = want_trees,
    .decide = decide_delete,
};
