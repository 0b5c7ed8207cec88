/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests on MongoDB how the page in the browser reads providers, consumers and projects
 * (common/mongo/capacity_read.h). Sections: providers, a search, consumers, projects, cost.
 *
 * The tests share the collections, so each uses names of its own, and lists begin behind a name
 * that sorts behind those of other tests.
 *
 * The server's profiler tells which queries used an index. It is on for one test only.
 */
#include "tests/support/cmocka.h"

#include "tests/contract/store_admin.h"
#include "tests/contract/store_world.h"

#include <stdio.h>
#include <string.h>

#include "common/mongo/capacity_read.h"

/* Stores a provider; `parent` is absent in a root. */
static struct provider add(struct store_world *world, struct text name,
                           const struct provider *parent)
{
    struct provider provider = plain_provider(world);
    provider.name = name;
    if (parent != NULL) {
        provider.has_parent = true;
        provider.parent = parent->id;
        provider.root = parent->root;
    }
    world_add_provider(world, &provider);
    return provider;
}

static struct consumer add_consumer(struct store_world *world, struct uuid provider, int64_t amount,
                                    struct text project)
{
    struct consumer consumer = plain_consumer(world, provider, amount);
    consumer.project_id = project;
    world_add_consumer(world, &consumer);
    return consumer;
}

static bool has(const struct capacity_providers *providers, struct uuid id)
{
    for (size_t i = 0; i < providers->count; i++)
        if (uuid_equal(providers->list[i].id, id))
            return true;
    return false;
}

/* --- providers --- */

static void test_roots_come_by_name_in_pages_that_say_whether_there_is_more(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct capacity_providers page;
    struct text before = world_text(world, "zz-roots");
    struct text names[3];
    for (size_t i = 0; i < 3; i++)
        names[i] = text_format(world->arena, "%.*s-%zu", TEXT_ARGS(before), i);
    struct provider last = add(world, names[2], NULL), first = add(world, names[0], NULL);
    struct provider middle = add(world, names[1], NULL);
    (void)add(world, text_format(world->arena, "%.*s-1-child", TEXT_ARGS(before)), &middle);
    assert_status(
        &session, STORE_OK,
        mongo_capacity_roots(session.store, before, 2, world->arena, &page, &session.error));
    assert_int_equal(page.count, 2);
    assert_true(page.more);
    assert_true(uuid_equal(page.list[0].id, first.id));
    assert_true(uuid_equal(page.list[1].id, middle.id));
    assert_status(&session, STORE_OK,
                  mongo_capacity_roots(session.store, page.list[1].name, 1, world->arena, &page,
                                       &session.error));
    assert_int_equal(page.count, 1);
    assert_true(uuid_equal(page.list[0].id, last.id));
    session_close(&session);
}

static void test_the_first_page_begins_with_the_first_name(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct capacity_providers page;
    struct provider first = add(world, world_text(world, "!"), NULL);
    assert_status(
        &session, STORE_OK,
        mongo_capacity_roots(session.store, TEXT_NONE, 1, world->arena, &page, &session.error));
    assert_int_equal(page.count, 1);
    assert_true(uuid_equal(page.list[0].id, first.id));
    session_close(&session);
}

static void test_a_provider_has_its_place_and_its_inventories(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct capacity_providers found;
    struct provider root = add(world, world_text(world, "root"), NULL);
    struct provider child = plain_provider(world);
    child.has_parent = true;
    child.parent = child.root = root.id;
    child.records[0].used = 3;
    world_add_provider(world, &child);
    assert_status(
        &session, STORE_OK,
        mongo_capacity_provider(session.store, child.id, world->arena, &found, &session.error));
    assert_int_equal(found.count, 1);
    const struct provider *read = &found.list[0];
    assert_true(uuid_equal(read->id, child.id) && uuid_equal(read->parent, root.id));
    assert_true(read->has_parent && uuid_equal(read->root, root.id));
    assert_true(text_equal(read->name, child.name));
    assert_int_equal(read->record_count, child.record_count);
    assert_int_equal(read->records[0].used, 3);
    assert_int_equal(read->records[0].inventory.total, child.records[0].inventory.total);
    assert_status(&session, STORE_OK,
                  mongo_capacity_provider(session.store, world_uuid(world), world->arena, &found,
                                          &session.error));
    assert_int_equal(found.count, 0);
    session_close(&session);
}

static void test_what_is_below_roots_is_all_of_their_trees_without_them(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct capacity_providers below;
    struct provider one = add(world, world_text(world, "one"), NULL);
    struct provider two = add(world, world_text(world, "two"), NULL);
    struct provider other = add(world, world_text(world, "other"), NULL);
    struct provider child = add(world, world_text(world, "child"), &one);
    struct provider grandchild = add(world, world_text(world, "grandchild"), &child);
    struct provider second = add(world, world_text(world, "child"), &two);
    struct provider stranger = add(world, world_text(world, "child"), &other);
    struct uuid roots[] = {one.id, two.id};
    assert_status(
        &session, STORE_OK,
        mongo_capacity_below(session.store, roots, 2, 3, world->arena, &below, &session.error));
    assert_int_equal(below.count, 3);
    assert_false(below.more);
    assert_true(has(&below, child.id) && has(&below, grandchild.id) && has(&below, second.id));
    assert_false(has(&below, stranger.id));
    assert_status(
        &session, STORE_OK,
        mongo_capacity_below(session.store, roots, 2, 2, world->arena, &below, &session.error));
    assert_int_equal(below.count, 2);
    assert_true(below.more);
    assert_status(
        &session, STORE_OK,
        mongo_capacity_below(session.store, NULL, 0, 2, world->arena, &below, &session.error));
    assert_int_equal(below.count, 0);
    session_close(&session);
}

/* --- a search --- */

static size_t search(struct store_world *world, struct text text,
                     struct capacity_providers *ret_found)
{
    struct session session = session_open(world);
    assert_status(
        &session, STORE_OK,
        mongo_capacity_search(session.store, text, 5, world->arena, ret_found, &session.error));
    session_close(&session);
    return ret_found->count;
}

static void test_a_search_finds_a_part_of_a_name_whatever_its_case(void **state)
{
    struct store_world *world = *state;
    struct capacity_providers found;
    struct text name = world_text(world, "Search-Node");
    struct provider provider = add(world, name, NULL);
    struct text part =
        text_format(world->arena, "EARCH-node%.*s", (int)name.length - 11, name.bytes + 11);
    assert_int_equal(search(world, part, &found), 1);
    assert_true(uuid_equal(found.list[0].id, provider.id));
    assert_int_equal(search(world, text_of("no-provider-has-this-name"), &found), 0);
}

static void test_a_search_takes_the_text_as_it_is(void **state)
{
    struct store_world *world = *state;
    struct capacity_providers found;
    (void)add(world, world_text(world, "plainxname"), NULL);
    struct provider dotted = add(world, text_of("a.*[b](c)\\d$ \xC3\xBC"), NULL);
    assert_int_equal(search(world, text_of("plain.name"), &found), 0);
    assert_int_equal(search(world, text_of("plainx*name"), &found), 0);
    assert_int_equal(search(world, text_of(".*[b](c)\\d$ \xC3\xBC"), &found), 1);
    assert_true(uuid_equal(found.list[0].id, dotted.id));
}

static void test_a_search_finds_a_uuid(void **state)
{
    struct store_world *world = *state;
    struct capacity_providers found;
    struct provider provider = add(world, world_text(world, "by-uuid"), NULL);
    assert_int_equal(search(world, text_of(uuid_format(provider.id).chars), &found), 1);
    assert_true(text_equal(found.list[0].name, provider.name));
    assert_int_equal(search(world, text_of(uuid_format(world_uuid(world)).chars), &found), 0);
}

static void test_a_search_for_what_no_name_has_is_refused(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct capacity_providers found;
    const struct text texts[] = {text_view("a\0b", 3), text_of("\xFF"), text_of("\x1b[2J")};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(
            mongo_capacity_search(session.store, texts[i], 5, world->arena, &found, &session.error),
            STORE_REFUSED);
        assert_int_equal(found.count, 0);
    }
    session_close(&session);
}

/* --- consumers --- */

static void test_consumers_of_a_provider_come_in_pages(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct capacity_consumers page;
    struct provider provider = add(world, world_text(world, "used"), NULL);
    struct provider other = add(world, world_text(world, "other"), NULL);
    struct consumer first = add_consumer(world, provider.id, 2, text_of("p"));
    (void)add_consumer(world, other.id, 9, text_of("p"));
    struct consumer second = add_consumer(world, provider.id, 3, text_of("q"));
    assert_status(&session, STORE_OK,
                  mongo_capacity_consumers(session.store, provider.id, NULL, 1, world->arena, &page,
                                           &session.error));
    assert_int_equal(page.count, 1);
    assert_true(page.more && uuid_equal(page.list[0].id, first.id));
    assert_true(text_is(page.list[0].project_id, "p"));
    assert_true(text_equal(page.list[0].user_id, first.user_id));
    assert_true(text_equal(page.list[0].consumer_type, first.consumer_type));
    assert_status(&session, STORE_OK,
                  mongo_capacity_consumers(session.store, provider.id, &first.id, 1, world->arena,
                                           &page, &session.error));
    assert_int_equal(page.count, 1);
    assert_true(!page.more && uuid_equal(page.list[0].id, second.id));
    assert_int_equal(page.list[0].allocations[0].amount, 3);
    session_close(&session);
}

static void test_a_consumer_has_only_what_it_has_on_the_provider(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct capacity_consumers page;
    struct provider provider = add(world, world_text(world, "used"), NULL);
    struct provider other = add(world, world_text(world, "other"), NULL);
    struct consumer consumer = plain_consumer(world, provider.id, 2);
    struct allocation allocations[] = {consumer.allocations[0], consumer.allocations[0]};
    allocations[1].provider = other.id;
    consumer.allocations = allocations;
    consumer.allocation_count = 2;
    world_add_consumer(world, &consumer);
    assert_status(&session, STORE_OK,
                  mongo_capacity_consumers(session.store, other.id, NULL, 9, world->arena, &page,
                                           &session.error));
    assert_int_equal(page.count, 1);
    assert_int_equal(page.list[0].allocation_count, 1);
    assert_true(uuid_equal(page.list[0].allocations[0].provider, other.id));
    session_close(&session);
}

/* --- projects --- */

static void test_projects_have_their_sums_and_come_in_pages(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct capacity_projects page;
    struct provider provider = add(world, world_text(world, "used"), NULL);
    struct text before = world_text(world, "zz-project");
    struct text one = text_format(world->arena, "%.*s-1", TEXT_ARGS(before));
    struct text two = text_format(world->arena, "%.*s-2", TEXT_ARGS(before));
    (void)add_consumer(world, provider.id, 7, two);
    (void)add_consumer(world, provider.id, 2, one);
    (void)add_consumer(world, provider.id, 3, one);
    assert_status(
        &session, STORE_OK,
        mongo_capacity_projects(session.store, before, 1, world->arena, &page, &session.error));
    assert_int_equal(page.count, 1);
    assert_true(page.more && text_equal(page.list[0].project_id, one));
    assert_int_equal(page.list[0].consumers, 2);
    assert_int_equal(page.list[0].amount_count, 1);
    assert_true(text_is(page.list[0].amounts[0].resource_class, "VCPU"));
    assert_int_equal(page.list[0].amounts[0].amount, 5);
    assert_status(
        &session, STORE_OK,
        mongo_capacity_projects(session.store, one, 1, world->arena, &page, &session.error));
    assert_true(text_equal(page.list[0].project_id, two));
    assert_int_equal(page.list[0].amounts[0].amount, 7);
    assert_status(&session, STORE_OK,
                  mongo_capacity_projects(session.store, text_of("zzz"), 1, world->arena, &page,
                                          &session.error));
    assert_int_equal(page.count, 0);
    session_close(&session);
}

static void test_many_classes_of_several_projects_do_not_mix(void **state)
{
    enum { CLASSES = 20 };
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct capacity_projects page;
    struct provider provider = add(world, world_text(world, "used"), NULL);
    struct text before = world_text(world, "zz-mixed");
    for (size_t project = 0; project < 2; project++) {
        struct consumer consumer = plain_consumer(world, provider.id, 1);
        struct allocation allocations[CLASSES];
        for (size_t i = 0; i < CLASSES; i++)
            allocations[i] =
                (struct allocation){provider.id, text_format(world->arena, "CUSTOM_%02zu", i),
                                    (int64_t)(100 * (project + 1) + i)};
        consumer.allocations = allocations;
        consumer.allocation_count = CLASSES;
        consumer.project_id = text_format(world->arena, "%.*s-%zu", TEXT_ARGS(before), project);
        world_add_consumer(world, &consumer);
    }
    assert_status(
        &session, STORE_OK,
        mongo_capacity_projects(session.store, before, 2, world->arena, &page, &session.error));
    assert_int_equal(page.count, 2);
    for (size_t project = 0; project < 2; project++) {
        assert_int_equal(page.list[project].amount_count, CLASSES);
        for (size_t i = 0; i < CLASSES; i++)
            assert_int_equal(page.list[project].amounts[i].amount, 100 * (project + 1) + i);
    }
    session_close(&session);
}

/* --- cost --- */

static void test_no_read_scans_or_sorts_a_collection(void **state)
{
    struct store_world *world = *state;
    struct session session = session_open(world);
    struct capacity_providers providers;
    struct capacity_consumers consumers;
    struct capacity_projects projects;
    struct error *error = &session.error;
    struct provider root = add(world, world_text(world, "root"), NULL);
    (void)add_consumer(world, root.id, 2, text_of("p"));
    admin_run(world->database, "{\"profile\": 2}");
    (void)mongo_capacity_roots(session.store, TEXT_NONE, 9, world->arena, &providers, error);
    (void)mongo_capacity_below(session.store, &root.id, 1, 9, world->arena, &providers, error);
    (void)mongo_capacity_search(session.store, text_of("root"), 9, world->arena, &providers, error);
    (void)mongo_capacity_consumers(session.store, root.id, NULL, 9, world->arena, &consumers,
                                   error);
    (void)mongo_capacity_projects(session.store, TEXT_NONE, 9, world->arena, &projects, error);
    admin_run(world->database, "{\"profile\": 0}");
    assert_int_equal(
        admin_count(world->database, "system.profile", "{\"command.find\": \"providers\"}"), 3);
    assert_int_equal(
        admin_count(world->database, "system.profile", "{\"command.aggregate\": \"consumers\"}"),
        3);
    assert_int_equal(admin_count(world->database, "system.profile",
                                 "{\"planSummary\": {\"$regex\": \"COLLSCAN\"}}"),
                     0);
    assert_int_equal(admin_count(world->database, "system.profile",
                                 "{\"command.find\": \"providers\", \"hasSortStage\": true}"),
                     0);
    /* The names of the projects: one entry of the index for each. */
    assert_int_equal(admin_count(world->database, "system.profile",
                                 "{\"planSummary\": {\"$regex\": \"DISTINCT_SCAN\"}}"),
                     1);
    session_close(&session);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_roots_come_by_name_in_pages_that_say_whether_there_is_more),
    cmocka_unit_test(test_the_first_page_begins_with_the_first_name),
    cmocka_unit_test(test_a_provider_has_its_place_and_its_inventories),
    cmocka_unit_test(test_what_is_below_roots_is_all_of_their_trees_without_them),
    cmocka_unit_test(test_a_search_finds_a_part_of_a_name_whatever_its_case),
    cmocka_unit_test(test_a_search_takes_the_text_as_it_is),
    cmocka_unit_test(test_a_search_finds_a_uuid),
    cmocka_unit_test(test_a_search_for_what_no_name_has_is_refused),
    cmocka_unit_test(test_consumers_of_a_provider_come_in_pages),
    cmocka_unit_test(test_a_consumer_has_only_what_it_has_on_the_provider),
    cmocka_unit_test(test_projects_have_their_sums_and_come_in_pages),
    cmocka_unit_test(test_many_classes_of_several_projects_do_not_mix),
    cmocka_unit_test(test_no_read_scans_or_sorts_a_collection),
};

int main(void)
{
    return cmocka_run_group_tests_name("store: capacity", tests, store_world_mongo,
                                       store_world_end) != 0;
}
