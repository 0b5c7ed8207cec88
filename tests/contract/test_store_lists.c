/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the lists of the storage port, each against the store in memory and MongoDB.
 * Sections: trees (the providers of a root), pages (the consumers of a provider), lists of
 * providers, usages (the sums of a project).
 *
 * A list is sorted by id, or by type and class, and sees the snapshot of the transaction's first
 * load. A dirty tree node gets its new root and no
 * other change, and conflicts with another write of it. Pages end after `limit` rows or
 * PAGE_BYTES_MAX bytes, and the next one continues without a gap. Usages count a consumer once,
 * however many allocations it has.
 *
 * Documents of other providers and projects must not appear in a list, so the helpers add some.
 *
 * Not here: the number of commands and of documents that a list costs (test_store_cost.c), and
 * lists whose query fails (test_store_faults.c).
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_world.h"

#include <string.h>

#include "allot/limits.h"

/* --- trees --- */

static struct uuid add_child(struct store_world *world, struct uuid parent, struct uuid root)
{
    struct provider child = plain_provider(world);
    child.has_parent = true;
    child.parent = parent;
    child.root = root;
    world_add_provider(world, &child);
    return child.id;
}

static void test_trees_are_loaded_completely_in_order_without_others(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider first = plain_provider(world), second = plain_provider(world);
    struct provider other = plain_provider(world);
    world_add_provider(world, &second);
    world_add_provider(world, &first);
    world_add_provider(world, &other);
    struct uuid child = add_child(world, first.id, first.id);
    struct uuid grandchild = add_child(world, child, first.id);
    session_begin(&session);
    snapshot_want_tree(session.snapshot, second.id);
    snapshot_want_tree(session.snapshot, first.id);
    session_load(&session);
    const struct tree_node *nodes = session.snapshot->nodes;
    struct uuid expected[] = {first.id, second.id, child, grandchild};
    assert_int_equal(session.snapshot->node_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(uuid_equal(nodes[i].id, expected[i]));
        assert_true(uuid_equal(nodes[i].root, i == 1 ? second.id : first.id));
        assert_int_equal(nodes[i].has_parent, i >= 2);
        assert_false(nodes[i].dirty);
    }
    assert_true(uuid_equal(nodes[2].parent, first.id));
    assert_true(uuid_equal(nodes[3].parent, child));
    session_close(&session);
}

static void test_a_node_that_is_dirty_gets_its_root_and_nothing_else(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct provider root = plain_provider(world), to = plain_provider(world);
    world_add_provider(world, &root);
    world_add_provider(world, &to);
    struct provider child = plain_provider(world);
    child.has_parent = true;
    child.parent = child.root = root.id;
    child.records[0].used = 4;
    world_add_provider(world, &child);
    session_begin(&session);
    snapshot_want_tree(session.snapshot, root.id);
    session_load(&session);
    assert_int_equal(session.snapshot->node_count, 2);
    session.snapshot->nodes[1].root = to.id;
    session.snapshot->nodes[1].dirty = true;
    session_save(&session);
    child.root = to.id;
    assert_same_provider(&child, open_provider(&session, child.id));
    session_close(&session);
}

static void touch_root(struct session *session, struct uuid root)
{
    session_begin(session);
    snapshot_want_tree(session->snapshot, root);
    session_load(session);
    session->snapshot->nodes[0].dirty = true; /* its root stays the same */
}

static void test_two_writes_of_one_node_conflict(void **state)
{
    struct store_world *world = *state;
    struct session first = session_open(world), second = session_open(world);
    struct provider root = plain_provider(world);
    world_add_provider(world, &root);
    touch_root(&first, root.id);
    touch_root(&second, root.id);
    session_save(&first);
    assert_status(&second, STORE_CONFLICT, session_write(&second));
    session_close(&second);
    session_close(&first);
}

enum { MEMBERS = 9 };

/* A tree that a test moves. */
struct moved_tree {
    struct uuid root;
    struct provider
        members[MEMBERS]; /* children of the root, by id; each with a usage of its own */
};

static struct moved_tree add_tree(struct store_world *world)
{
    struct provider root = plain_provider(world);
    struct moved_tree tree = {.root = root.id};
    world_add_provider(world, &root);
    for (size_t i = 0; i < MEMBERS; i++) {
        struct provider *member = &tree.members[i];
        *member = plain_provider(world);
        member->has_parent = true;
        member->parent = member->root = root.id;
        member->records[0].used = (int64_t)i;
        world_add_provider(world, member);
    }
    return tree;
}

static void open_tree(struct session *session, const struct moved_tree *tree)
{
    session_begin(session);
    snapshot_want_tree(session->snapshot, tree->root);
    session_load(session);
    assert_int_equal(session->snapshot->node_count, MEMBERS + 1);
}

/* Gives the member a new root. The first node is the one of the tree's root. */
static void move_member(struct session *session, size_t index, struct uuid root)
{
    struct tree_node *node = &session->snapshot->nodes[index + 1];
    node->root = root;
    node->dirty = true;
}

static void expect_tree(struct session *session, const struct moved_tree *tree)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        session_restart(session);
        assert_same_provider(&tree->members[i], open_provider(session, tree->members[i].id));
    }
}

/* Each third member stays, and the others do not all move to the same tree. */
static void test_many_nodes_get_their_roots_and_nothing_else_changes(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct moved_tree tree = add_tree(world), other = add_tree(world);
    struct uuid first = world_uuid(world), second = world_uuid(world);
    open_tree(&session, &tree);
    for (size_t i = 0; i < MEMBERS; i++) {
        if (i % 3 == 2)
            continue;
        tree.members[i].root = i / 3 == 1 ? second : first;
        move_member(&session, i, tree.members[i].root);
    }
    session_save(&session);
    expect_tree(&session, &tree);
    expect_tree(&session, &other);
    session_close(&session);
}

static void test_a_move_of_many_nodes_conflicts_with_a_write_of_one_of_them(void **state)
{
    struct store_world *world = *state;
    struct session first = session_open(world), second = session_open(world);
    struct moved_tree tree = add_tree(world);
    struct uuid root = world_uuid(world);
    for (size_t i = 0; i < MEMBERS; i += MEMBERS / 2) {
        open_tree(&first, &tree);
        for (size_t j = 0; j < MEMBERS; j++)
            move_member(&first, j, root);
        struct provider *slot = open_provider(&second, tree.members[i].id);
        slot->state.dirty = true;
        slot->generation = ++tree.members[i].generation;
        session_save(&second);
        assert_status(&first, STORE_CONFLICT, session_write(&first));
        session_restart(&first);
    }
    expect_tree(&second, &tree);
    session_close(&second);
    session_close(&first);
}

static void test_a_node_whose_provider_is_missing_is_a_conflict(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct moved_tree tree = add_tree(world);
    open_tree(&session, &tree);
    for (size_t i = 0; i < MEMBERS; i++)
        move_member(&session, i, tree.members[0].id);
    session.snapshot->nodes[MEMBERS / 2].id = world_uuid(world);
    assert_status(&session, STORE_CONFLICT, session_write(&session));
    expect_tree(&session, &tree);
    session_close(&session);
}

/* --- pages --- */

enum { ON_PAGE = 7 };

/* Two classes on provider `a`, one on `b`. */
static struct allocation *three_allocations(struct store_world *world, struct uuid a, struct uuid b)
{
    struct allocation *allocations = ARENA_ARRAY(world->arena, struct allocation, 3);
    allocations[0] = (struct allocation){a, text_of("MEMORY_MB"), 512};
    allocations[1] = (struct allocation){a, text_of("VCPU"), 2};
    allocations[2] = (struct allocation){b, text_of("VCPU"), 9};
    return allocations;
}

/* Adds ON_PAGE consumers of `provider`, and between them as many of another provider. */
static void add_consumers(struct store_world *world, struct uuid provider, struct uuid *ret_ids)
{
    struct uuid other = world_uuid(world);
    for (size_t i = 0; i < ON_PAGE; i++) {
        struct consumer consumer = plain_consumer(world, provider, 1);
        struct consumer foreign = plain_consumer(world, other, 1);
        consumer.allocations = three_allocations(world, provider, other);
        consumer.allocation_count = 3;
        consumer.generation = (int64_t)i + 1;
        ret_ids[i] = consumer.id;
        world_add_consumer(world, &foreign);
        world_add_consumer(world, &consumer);
    }
}

static const struct consumer_page *read_page(struct session *session, struct page_params params)
{
    session_restart(session);
    session_begin(session);
    snapshot_want_page(session->snapshot, 3, params);
    session_load(session);
    assert_true(snapshot_page(session->snapshot, 3)->loaded);
    return &snapshot_page(session->snapshot, 3)->page;
}

static void expect_rows(const struct consumer_page *page, const struct uuid *ids, size_t first,
                        size_t count)
{
    assert_int_equal(page->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(uuid_equal(page->rows[i].id, ids[first + i]));
        assert_int_equal(page->rows[i].generation, first + i + 1);
    }
}

static void test_a_page_shows_what_each_consumer_holds_of_that_provider(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct uuid provider = world_uuid(world), ids[ON_PAGE];
    add_consumers(world, provider, ids);
    const struct consumer_page *page =
        read_page(&session, (struct page_params){.provider = provider, .limit = PAGE_ROWS_MAX});
    expect_rows(page, ids, 0, ON_PAGE);
    assert_false(page->more);
    for (size_t i = 0; i < ON_PAGE; i++) {
        const struct consumer *row = &page->rows[i];
        assert_int_equal(row->allocation_count, 2);
        assert_text(text_of("MEMORY_MB"), row->allocations[0].resource_class);
        assert_text(text_of("VCPU"), row->allocations[1].resource_class);
        assert_int_equal(row->allocations[0].amount, 512);
        assert_int_equal(row->allocations[1].amount, 2);
        assert_true(uuid_equal(row->allocations[0].provider, provider));
    }
    session_close(&session);
}

static void test_pages_follow_one_another_without_gap_or_duplicate(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct page_params params = {.provider = world_uuid(world), .limit = 3};
    struct uuid ids[ON_PAGE];
    add_consumers(world, params.provider, ids);
    static const size_t counts[] = {3, 3, 1};
    for (size_t i = 0; i < 3; i++) {
        const struct consumer_page *page = read_page(&session, params);
        expect_rows(page, ids, i * 3, counts[i]);
        assert_int_equal(page->more, i < 2);
        params.has_after = true;
        params.after = page->rows[page->count - 1].id;
    }
    expect_rows(read_page(&session, params), ids, 0, 0);
    session_close(&session);
}

static void test_a_page_that_is_just_full_has_no_next(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct page_params params = {.provider = world_uuid(world), .limit = ON_PAGE};
    struct uuid ids[ON_PAGE];
    add_consumers(world, params.provider, ids);
    assert_false(read_page(&session, params)->more);
    params.limit = ON_PAGE - 1;
    assert_true(read_page(&session, params)->more);
    session_close(&session);
}

static void test_after_need_not_exist(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct page_params params = {.provider = world_uuid(world), .limit = 10, .has_after = true};
    struct uuid ids[ON_PAGE];
    add_consumers(world, params.provider, ids);
    /* `after` is the nil UUID, which is before all others. */
    expect_rows(read_page(&session, params), ids, 0, ON_PAGE);
    params.after = ids[2];
    params.after.bytes[UUID_BYTES - 1]++; /* a consumer of the other provider, or no consumer */
    expect_rows(read_page(&session, params), ids, 3, ON_PAGE - 3);
    memset(params.after.bytes, 0xff, UUID_BYTES);
    expect_rows(read_page(&session, params), ids, 0, 0);
    session_close(&session);
}

static void test_a_provider_without_consumers_has_an_empty_page(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    const struct consumer_page *page = read_page(
        &session, (struct page_params){.provider = world_uuid(world), .limit = PAGE_ROWS_MAX});
    assert_int_equal(page->count, 0);
    assert_false(page->more);
    session_close(&session);
}

/* Makes a consumer with many long class names on one provider: about 200 KiB in a reply. */
static struct consumer wide_consumer(struct store_world *world, struct uuid provider)
{
    enum { CLASSES = 640 };
    struct consumer consumer = plain_consumer(world, provider, 1);
    struct allocation *allocations = ARENA_ARRAY(world->arena, struct allocation, CLASSES);
    for (int i = 0; i < CLASSES; i++)
        allocations[i] = (struct allocation){
            provider, text_format(world->arena, "CUSTOM_%0248d", i), AMOUNT_MAX};
    consumer.allocations = allocations;
    consumer.allocation_count = CLASSES;
    return consumer;
}

static size_t page_bytes(const struct consumer_page *page)
{
    size_t bytes = 0;
    for (size_t i = 0; i < page->count; i++) {
        for (size_t k = 0; k < page->rows[i].allocation_count; k++)
            bytes += page->rows[i].allocations[k].resource_class.length;
    }
    return bytes;
}

static void test_a_page_ends_early_when_it_grows_large(void **state)
{
    enum { WIDE = 26 };
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct page_params params = {.provider = world_uuid(world), .limit = PAGE_ROWS_MAX};
    for (int i = 0; i < WIDE; i++) {
        struct consumer consumer = wide_consumer(world, params.provider);
        world_add_consumer(world, &consumer);
    }
    const struct consumer_page *page = read_page(&session, params);
    assert_true(page->more);
    assert_in_range(page->count, WIDE / 2, WIDE - 1);
    assert_true(page_bytes(page) <= PAGE_BYTES_MAX);
    size_t seen = page->count;
    params.has_after = true;
    params.after = page->rows[page->count - 1].id;
    page = read_page(&session, params);
    assert_false(page->more);
    assert_int_equal(seen + page->count, WIDE);
    session_close(&session);
}

static void test_two_pages_in_one_load_do_not_mix(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct uuid first = world_uuid(world), second = world_uuid(world), ids[ON_PAGE];
    struct consumer alone = plain_consumer(world, second, 5);
    add_consumers(world, first, ids);
    world_add_consumer(world, &alone);
    session_begin(&session);
    snapshot_want_page(session.snapshot, 0, (struct page_params){.provider = first, .limit = 2});
    snapshot_want_page(session.snapshot, 1, (struct page_params){.provider = second, .limit = 2});
    session_load(&session);
    expect_rows(&snapshot_page(session.snapshot, 0)->page, ids, 0, 2);
    assert_int_equal(snapshot_page(session.snapshot, 1)->page.count, 1);
    assert_int_equal(snapshot_page(session.snapshot, 1)->page.rows[0].allocations[0].amount, 5);
    session_close(&session);
}

/* --- lists of providers --- */

/*
 * Ends of names in their order of bytes, with characters that a regular expression or a collation
 * treats in a special way, and the last code points before the surrogates and of all. The tests
 * share one database, so each puts a text of its own before them.
 */
static const char *const ends[] = {
    "A",
    "a",
    "a.b",
    "a.b*",
    "ab",
    "b\xed\x9f\xbfx",
    "b\xee\x80\x80",
    "caf\xc3\xa9",
    "caf\xc3\xa9-1",
    "caf\xc3\xaa",
    "d\xf4\x8f\xbf\xbfz",
};
enum { NAMES = sizeof ends / sizeof ends[0] };

struct named {
    struct store_world *world;
    struct text base; /* what all names begin with */
};

static struct text name_with(const struct named *named, const char *end)
{
    return text_format(named->world->arena, "%.*s%s", TEXT_ARGS(named->base), end);
}

/* Adds one provider for each name, in another order. */
static struct named add_named(struct store_world *world)
{
    struct named named = {world,
                          text_copy(world->arena, text_of(uuid_format(world_uuid(world)).chars))};
    for (size_t i = 0; i < NAMES; i++) {
        struct provider provider = plain_provider(world);
        provider.name = name_with(&named, ends[i * 7 % NAMES]); /* 7 and NAMES have no divisor */
        world_add_provider(world, &provider);
    }
    return named;
}

static const struct provider_page *read_list(struct session *session, struct list_params params)
{
    session_restart(session);
    session_begin(session);
    snapshot_want_list(session->snapshot, 5, params);
    session_load(session);
    assert_true(snapshot_list(session->snapshot, 5)->loaded);
    return &snapshot_list(session->snapshot, 5)->page;
}

static void expect_names(const struct named *named, const struct provider_page *page, size_t first,
                         size_t count, bool more)
{
    assert_int_equal(page->count, count);
    assert_int_equal(page->more, more);
    for (size_t i = 0; i < count; i++)
        assert_true(text_equal(page->rows[i].name, name_with(named, ends[first + i])));
}

static void test_lists_follow_one_another_by_name_without_gap_or_duplicate(void **state)
{
    struct session session = session_open(*state);
    struct named named = add_named(*state);
    struct list_params params = {.limit = 4, .after = named.base};
    expect_names(&named, read_list(&session, params), 0, 4, true);
    params.after = name_with(&named, ends[3]);
    expect_names(&named, read_list(&session, params), 4, 4, true);
    params.after = name_with(&named, ends[7]);
    params.prefix = named.base;
    expect_names(&named, read_list(&session, params), 8, NAMES - 8, false);
    params.after = name_with(&named, "a.aaa"); /* no provider has this name */
    params.limit = PAGE_ROWS_MAX;
    expect_names(&named, read_list(&session, params), 2, NAMES - 2, false);
    params.after = name_with(&named, "z");
    expect_names(&named, read_list(&session, params), 0, 0, false);
    session_close(&session);
}

static void test_a_list_with_a_prefix_has_the_names_that_begin_with_it(void **state)
{
    static const struct {
        const char *prefix;
        size_t first, count;
    } rows[] = {
        {"a", 1, 4},
        {"a.b", 2, 2},
        {"b\xed\x9f\xbf", 5, 1},
        {"b\xee\x80\x80", 6, 1},
        {"caf\xc3\xa9", 7, 2},
        {"d\xf4\x8f\xbf\xbf", 10, 1},
        {".*", 0, 0},
    };
    struct session session = session_open(*state);
    struct named named = add_named(*state);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct list_params params = {.limit = PAGE_ROWS_MAX,
                                     .prefix = name_with(&named, rows[i].prefix)};
        expect_names(&named, read_list(&session, params), rows[i].first, rows[i].count, false);
    }
    struct list_params second = {
        .limit = 1, .prefix = name_with(&named, "a"), .after = name_with(&named, "a")};
    expect_names(&named, read_list(&session, second), 2, 1, true);
    session_close(&session);
}

static void test_a_list_shows_place_and_generation(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct named named = {world,
                          text_copy(world->arena, text_of(uuid_format(world_uuid(world)).chars))};
    struct provider root = plain_provider(world), child = plain_provider(world);
    root.name = name_with(&named, "a-root");
    root.generation = 6;
    child.name = name_with(&named, "b-child");
    child.has_parent = true;
    child.parent = child.root = root.id;
    world_add_provider(world, &root);
    world_add_provider(world, &child);
    const struct provider_page *page =
        read_list(&session, (struct list_params){.limit = PAGE_ROWS_MAX, .prefix = named.base});
    assert_int_equal(page->count, 2);
    assert_true(uuid_equal(page->rows[0].id, root.id));
    assert_int_equal(page->rows[0].generation, 6);
    assert_false(page->rows[0].has_parent);
    assert_true(uuid_equal(page->rows[1].id, child.id));
    assert_true(page->rows[1].has_parent);
    assert_true(uuid_equal(page->rows[1].parent, root.id));
    assert_true(uuid_equal(page->rows[1].root, root.id));
    session_close(&session);
}

/* --- usages --- */

struct owner {
    const char *user;
    const char *type;
    int64_t vcpus;
    int64_t memory; /* 0: none */
};

/* Adds a consumer with allocations on two providers; it must be counted once only. */
static void add_owned(struct store_world *world, struct text project, const struct owner *owner)
{
    struct consumer consumer = plain_consumer(world, world_uuid(world), owner->vcpus);
    struct allocation *allocations = ARENA_ARRAY(world->arena, struct allocation, 3);
    struct uuid second = world_uuid(world);
    size_t count = 0;
    if (owner->memory > 0)
        allocations[count++] = (struct allocation){consumer.allocations[0].provider,
                                                   text_of("MEMORY_MB"), owner->memory};
    allocations[count++] = consumer.allocations[0];
    allocations[count++] = (struct allocation){second, text_of("VCPU"), owner->vcpus};
    consumer.allocations = allocations;
    consumer.allocation_count = count;
    consumer.project_id = project;
    consumer.user_id = text_of(owner->user);
    consumer.consumer_type = text_of(owner->type);
    world_add_consumer(world, &consumer);
}

static struct text add_project(struct store_world *world)
{
    static const struct owner owners[] = {{"ann", "INSTANCE", 1, 0},
                                          {"ann", "INSTANCE", 10, AMOUNT_MAX},
                                          {"bob", "INSTANCE", 100, AMOUNT_MAX},
                                          {"bob", "MIGRATION", 1000, 0}};
    struct text project = world_text(world, "project $dotted.name");
    struct owner stranger = {"ann", "INSTANCE", 5, 5};
    for (size_t i = 0; i < 4; i++)
        add_owned(world, project, &owners[i]);
    add_owned(world, world_text(world, "another"), &stranger);
    return project;
}

static const struct usage_slot *read_usage(struct session *session, struct text project,
                                           const char *user, const char *type)
{
    session_restart(session);
    session_begin(session);
    snapshot_want_usage(session->snapshot, 0,
                        (struct usage_params){project, text_of(user), text_of(type)});
    session_load(session);
    assert_true(snapshot_usage(session->snapshot, 0)->loaded);
    return snapshot_usage(session->snapshot, 0);
}

static void expect_group(const struct usage_slot *slot, size_t index, const char *type,
                         int64_t consumers, int64_t vcpus)
{
    assert_true(index < slot->group_count);
    const struct usage_group *group = &slot->groups[index];
    assert_text(text_of(type), group->consumer_type);
    assert_int_equal(group->consumer_count, consumers);
    assert_true(group->count >= 1);
    assert_text(text_of("VCPU"), group->amounts[group->count - 1].resource_class);
    assert_int_equal(group->amounts[group->count - 1].amount, vcpus);
}

static void test_usages_are_summed_by_type_and_class(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text project = add_project(world);
    const struct usage_slot *slot = read_usage(&session, project, NULL, NULL);
    assert_int_equal(slot->group_count, 2);
    expect_group(slot, 0, "INSTANCE", 3, 222);
    expect_group(slot, 1, "MIGRATION", 1, 2000);
    assert_int_equal(slot->groups[0].count, 2);
    assert_text(text_of("MEMORY_MB"), slot->groups[0].amounts[0].resource_class);
    assert_true(slot->groups[0].amounts[0].amount == 2 * AMOUNT_MAX);
    assert_int_equal(slot->groups[1].count, 1);
    session_close(&session);
}

static void test_usages_of_a_user_leave_the_others_out(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text project = add_project(world);
    const struct usage_slot *slot = read_usage(&session, project, "ann", NULL);
    assert_int_equal(slot->group_count, 1);
    expect_group(slot, 0, "INSTANCE", 2, 22);
    slot = read_usage(&session, project, "bob", "MIGRATION");
    assert_int_equal(slot->group_count, 1);
    expect_group(slot, 0, "MIGRATION", 1, 2000);
    assert_int_equal(read_usage(&session, project, "ann", "MIGRATION")->group_count, 0);
    assert_int_equal(read_usage(&session, project, "nobody", NULL)->group_count, 0);
    session_close(&session);
}

static void test_usages_of_all_types_are_one_group(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text project = add_project(world);
    const struct usage_slot *slot = read_usage(&session, project, NULL, "all");
    assert_int_equal(slot->group_count, 1);
    expect_group(slot, 0, "all", 4, 2222);
    assert_int_equal(slot->groups[0].count, 2);
    slot = read_usage(&session, project, "ann", "all");
    expect_group(slot, 0, "all", 2, 22);
    session_close(&session);
}

static void test_usages_without_consumers_are_empty(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text project = add_project(world), empty = world_text(world, "empty");
    assert_int_equal(read_usage(&session, project, NULL, "unknown")->group_count, 0);
    assert_int_equal(read_usage(&session, project, NULL, "OTHER")->group_count, 0);
    assert_int_equal(read_usage(&session, empty, NULL, NULL)->group_count, 0);
    assert_int_equal(read_usage(&session, empty, NULL, "all")->group_count, 0);
    session_close(&session);
}

static void test_lists_see_the_snapshot_of_the_first_load(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct text project = add_project(world);
    struct uuid provider = world_uuid(world), ids[ON_PAGE];
    static const struct owner late = {"ann", "INSTANCE", 1, 0};
    (void)open_consumer(&session, world_uuid(world));
    add_owned(world, project, &late);
    add_consumers(world, provider, ids);
    snapshot_want_usage(session.snapshot, 0, (struct usage_params){.project_id = project});
    snapshot_want_page(session.snapshot, 1, (struct page_params){.provider = provider, .limit = 5});
    session_load(&session);
    expect_group(snapshot_usage(session.snapshot, 0), 0, "INSTANCE", 3, 222);
    assert_int_equal(snapshot_page(session.snapshot, 1)->page.count, 0);
    session_close(&session);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_trees_are_loaded_completely_in_order_without_others),
    cmocka_unit_test(test_a_node_that_is_dirty_gets_its_root_and_nothing_else),
    cmocka_unit_test(test_two_writes_of_one_node_conflict),
    cmocka_unit_test(test_many_nodes_get_their_roots_and_nothing_else_changes),
    cmocka_unit_test(test_a_move_of_many_nodes_conflicts_with_a_write_of_one_of_them),
    cmocka_unit_test(test_a_node_whose_provider_is_missing_is_a_conflict),
    cmocka_unit_test(test_a_page_shows_what_each_consumer_holds_of_that_provider),
    cmocka_unit_test(test_pages_follow_one_another_without_gap_or_duplicate),
    cmocka_unit_test(test_a_page_that_is_just_full_has_no_next),
    cmocka_unit_test(test_after_need_not_exist),
    cmocka_unit_test(test_a_provider_without_consumers_has_an_empty_page),
    cmocka_unit_test(test_a_page_ends_early_when_it_grows_large),
    cmocka_unit_test(test_two_pages_in_one_load_do_not_mix),
    cmocka_unit_test(test_lists_follow_one_another_by_name_without_gap_or_duplicate),
    cmocka_unit_test(test_a_list_with_a_prefix_has_the_names_that_begin_with_it),
    cmocka_unit_test(test_a_list_shows_place_and_generation),
    cmocka_unit_test(test_usages_are_summed_by_type_and_class),
    cmocka_unit_test(test_usages_of_a_user_leave_the_others_out),
    cmocka_unit_test(test_usages_of_all_types_are_one_group),
    cmocka_unit_test(test_usages_without_consumers_are_empty),
    cmocka_unit_test(test_lists_see_the_snapshot_of_the_first_load),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("store lists in memory", tests, store_world_memory,
                                             store_world_end) != 0;
    failed |= cmocka_run_group_tests_name("store lists on MongoDB", tests, store_world_mongo,
                                          store_world_end) != 0;
    return failed;
}
