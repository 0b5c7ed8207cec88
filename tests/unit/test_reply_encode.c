/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the body of a reply: the result of each command, failures with their details, escapes, and
 * the detail of a dead letter.
 *
 * assert_result encodes a success and compares the whole text, so that the order of the members is
 * tested too. The results are built by hand; no command is decided here. One test reads the
 * message of a recorded failure again, as a replay needs it.
 *
 * Not here: whether replies are valid by their JSON schemas. tests/schema/check tests this with the
 * replies that the system tests received.
 */
#include "tests/support/cmocka.h"

#include <string.h>

#include <jansson.h>

#include "allot/limits.h"
#include "common/codec/reply_encode.h"
#include "common/core/snapshot.h"

#define UUID_A "11111111-1111-1111-1111-111111111111"
#define UUID_B "22222222-2222-2222-2222-222222222222"
#define UUID_C "cccccccc-cccc-cccc-cccc-cccccccccccc"

static struct uuid uuid_of(const char *text)
{
    struct uuid uuid;
    assert_true(uuid_parse(text_of(text), &uuid));
    return uuid;
}

static void assert_text(struct text text, const char *expected)
{
    if (!text_is(text, expected))
        fail_msg("\n%.*s\n  is not\n%s", TEXT_ARGS(text), expected);
}

#define HEAD(command) "{\"version\":1,\"command\":\"" command "\",\"message_id\":\"k\","
#define SUCCESS(command, result) HEAD(command) "\"status\":\"success\",\"result\":" result "}"

static void assert_result(struct arena *arena, enum command_kind kind, struct result result,
                          const char *expected)
{
    struct verdict verdict = {.code = VERDICT_SUCCESS, .result = result};
    struct text reply =
        reply_encode(arena, text_of(command_name(kind)), kind, text_of("k"), &verdict);
    assert_text(reply, expected);
    json_t *parsed = json_loadb(reply.bytes, reply.length, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(parsed);
    json_decref(parsed);
}

static struct inventory_record records[] = {
    {.inventory = {.resource_class = {"CUSTOM_A", 8},
                   .total = 100,
                   .reserved = 1,
                   .min_unit = 2,
                   .max_unit = 3,
                   .step_size = 4,
                   .ratio = 570000},
     .used = 17},
    {.inventory = {.resource_class = {"VCPU", 4},
                   .total = AMOUNT_MAX,
                   .min_unit = 1,
                   .max_unit = AMOUNT_MAX,
                   .step_size = 1,
                   .ratio = RATIO_ONE}},
};

#define INVENTORIES                                                                                \
    "{\"CUSTOM_A\":{\"total\":100,\"reserved\":1,\"min_unit\":2,\"max_unit\":3,\"step_size\":4,"   \
    "\"allocation_ratio\":0.57},\"VCPU\":{\"total\":2147483647,\"reserved\":0,\"min_unit\":1,"     \
    "\"max_unit\":2147483647,\"step_size\":1,\"allocation_ratio\":1.0}}"

static struct provider provider_of(const char *id)
{
    return (struct provider){.id = uuid_of(id),
                             .name = text_of("n\"\xC3\xA9"),
                             .root = uuid_of(UUID_B),
                             .generation = 3,
                             .records = records,
                             .record_count = 2};
}

static void test_a_provider_is_answered_with_its_place(void **state)
{
    struct provider provider = provider_of(UUID_A);
    provider.has_parent = true;
    provider.parent = uuid_of(UUID_C);
    assert_result(*state, COMMAND_PROVIDER_CREATE, (struct result){.provider = &provider},
                  SUCCESS("provider.create",
                          "{\"uuid\":\"" UUID_A "\",\"name\":\"n\\\"\xC3\xA9\","
                          "\"parent_provider_uuid\":\"" UUID_C "\",\"root_provider_uuid\":\"" UUID_B
                          "\",\"generation\":3}"));
    provider.has_parent = false;
    assert_result(*state, COMMAND_PROVIDER_UPDATE, (struct result){.provider = &provider},
                  SUCCESS("provider.update",
                          "{\"uuid\":\"" UUID_A "\",\"name\":\"n\\\"\xC3\xA9\","
                          "\"parent_provider_uuid\":null,\"root_provider_uuid\":\"" UUID_B
                          "\",\"generation\":3}"));
}

static void test_a_delete_is_answered_with_an_empty_object(void **state)
{
    assert_result(*state, COMMAND_PROVIDER_DELETE, (struct result){0},
                  SUCCESS("provider.delete", "{}"));
    struct consumer_generation gone = {uuid_of(UUID_A), 0};
    assert_result(*state, COMMAND_ALLOCATION_DELETE,
                  (struct result){.consumers = &gone, .consumer_count = 1},
                  SUCCESS("allocation.delete", "{}"));
}

static void test_provider_get_shows_usages_of_zero_too(void **state)
{
    struct provider provider = provider_of(UUID_A);
    assert_result(*state, COMMAND_PROVIDER_GET, (struct result){.provider = &provider},
                  SUCCESS("provider.get", "{\"uuid\":\"" UUID_A "\",\"name\":\"n\\\"\xC3\xA9\","
                                          "\"parent_provider_uuid\":null,\"root_provider_uuid\":"
                                          "\"" UUID_B "\",\"generation\":3,"
                                          "\"inventories\":" INVENTORIES
                                          ",\"usages\":{\"CUSTOM_A\":17,\"VCPU\":0}}"));
}

static void test_inventory_set_is_answered_with_the_whole_inventory(void **state)
{
    struct provider provider = provider_of(UUID_A);
    struct provider_generation raised = {provider.id, 3};
    struct result result = {.provider = &provider, .providers = &raised, .provider_count = 1};
    assert_result(*state, COMMAND_INVENTORY_SET, result,
                  SUCCESS("inventory.set",
                          "{\"resource_provider_generation\":3,\"inventories\":" INVENTORIES "}"));
    provider.record_count = 0;
    assert_result(
        *state, COMMAND_INVENTORY_SET, result,
        SUCCESS("inventory.set", "{\"resource_provider_generation\":3,\"inventories\":{}}"));
}

static void test_a_page_shows_the_allocations_on_its_provider_only(void **state)
{
    struct provider provider = provider_of(UUID_A);
    struct allocation allocations[] = {{provider.id, text_of("DISK_GB"), 5},
                                       {provider.id, text_of("VCPU"), 2},
                                       {uuid_of(UUID_B), text_of("VCPU"), 9}};
    struct consumer rows[] = {
        {.id = uuid_of(UUID_B), .generation = 1, .allocations = allocations, .allocation_count = 3},
        {.id = uuid_of(UUID_C),
         .generation = 8,
         .allocations = allocations + 1,
         .allocation_count = 1}};
    struct consumer_page page = {rows, 2, true};
    struct result result = {.provider = &provider, .page = &page};
#define ROWS                                                                                       \
    "{\"" UUID_B "\":{\"resources\":{\"DISK_GB\":5,\"VCPU\":2},\"consumer_generation\":1},"        \
    "\"" UUID_C "\":{\"resources\":{\"VCPU\":2},\"consumer_generation\":8}}"
    assert_result(*state, COMMAND_PROVIDER_ALLOCATIONS, result,
                  SUCCESS("provider.allocations",
                          "{\"resource_provider_generation\":3,"
                          "\"allocations\":" ROWS ",\"next\":\"" UUID_C "\"}"));
    page.more = false;
    assert_result(*state, COMMAND_PROVIDER_ALLOCATIONS, result,
                  SUCCESS("provider.allocations", "{\"resource_provider_generation\":3,"
                                                  "\"allocations\":" ROWS ",\"next\":null}"));
    page.count = 0;
    assert_result(*state, COMMAND_PROVIDER_ALLOCATIONS, result,
                  SUCCESS("provider.allocations", "{\"resource_provider_generation\":3,"
                                                  "\"allocations\":{},\"next\":null}"));
}

static void test_a_list_shows_the_place_of_each_provider(void **state)
{
    struct provider rows[] = {provider_of(UUID_A), provider_of(UUID_B)};
    rows[0].name = text_of("one");
    rows[1].name = text_of("two");
    rows[1].has_parent = true;
    rows[1].parent = rows[1].root = rows[0].id;
    rows[0].root = rows[0].id;
    rows[0].has_parent = false;
    rows[0].generation = 3;
    rows[1].generation = 0;
    struct provider_page page = {rows, 2, true};
    struct result result = {.list = &page};
#define LIST_ROWS                                                                                  \
    "[{\"uuid\":\"" UUID_A "\",\"name\":\"one\",\"parent_provider_uuid\":null,"                    \
    "\"root_provider_uuid\":\"" UUID_A "\",\"generation\":3},"                                     \
    "{\"uuid\":\"" UUID_B "\",\"name\":\"two\",\"parent_provider_uuid\":\"" UUID_A "\","           \
    "\"root_provider_uuid\":\"" UUID_A "\",\"generation\":0}]"
    assert_result(*state, COMMAND_PROVIDER_LIST, result,
                  SUCCESS("provider.list", "{\"providers\":" LIST_ROWS ",\"next\":\"two\"}"));
    page.more = false;
    assert_result(*state, COMMAND_PROVIDER_LIST, result,
                  SUCCESS("provider.list", "{\"providers\":" LIST_ROWS ",\"next\":null}"));
    page.count = 0;
    assert_result(*state, COMMAND_PROVIDER_LIST, result,
                  SUCCESS("provider.list", "{\"providers\":[],\"next\":null}"));
}

static void test_a_consumer_that_ended_has_no_generation(void **state)
{
    struct consumer_generation consumers[] = {{uuid_of(UUID_A), 4}, {uuid_of(UUID_C), 0}};
    struct provider_generation providers[] = {{uuid_of(UUID_A), 7}, {uuid_of(UUID_B), 0}};
    struct result one = {
        .consumers = consumers, .consumer_count = 1, .providers = providers, .provider_count = 2};
#define GENERATIONS "\"resource_provider_generations\":{\"" UUID_A "\":7,\"" UUID_B "\":0}}"
    assert_result(*state, COMMAND_ALLOCATION_SET, one,
                  SUCCESS("allocation.set", "{\"consumer_uuid\":\"" UUID_A
                                            "\",\"consumer_generation\":4," GENERATIONS));
    one.consumers = consumers + 1;
    one.provider_count = 0;
    assert_result(*state, COMMAND_ALLOCATION_SET, one,
                  SUCCESS("allocation.set",
                          "{\"consumer_uuid\":\"" UUID_C "\",\"consumer_generation\":null,"
                          "\"resource_provider_generations\":{}}"));
}

static void test_a_batch_and_a_reshape_list_their_consumers(void **state)
{
    struct consumer_generation consumers[] = {{uuid_of(UUID_A), 4}, {uuid_of(UUID_C), 0}};
    struct provider_generation providers[] = {{uuid_of(UUID_A), 7}, {uuid_of(UUID_B), 0}};
    struct result result = {
        .consumers = consumers, .consumer_count = 2, .providers = providers, .provider_count = 2};
#define LISTED                                                                                     \
    "{\"consumers\":{\"" UUID_A "\":{\"consumer_generation\":4},\"" UUID_C                         \
    "\":{\"consumer_generation\":null}}," GENERATIONS
    assert_result(*state, COMMAND_ALLOCATION_BATCH, result, SUCCESS("allocation.batch", LISTED));
    assert_result(*state, COMMAND_RESHAPE, result, SUCCESS("reshape", LISTED));
    result.consumer_count = 0;
    assert_result(*state, COMMAND_RESHAPE, result,
                  SUCCESS("reshape", "{\"consumers\":{}," GENERATIONS));
}

static void test_allocation_get_groups_by_provider(void **state)
{
    struct allocation allocations[] = {{uuid_of(UUID_A), text_of("DISK_GB"), 5},
                                       {uuid_of(UUID_A), text_of("VCPU"), 2},
                                       {uuid_of(UUID_B), text_of("VCPU"), 9}};
    struct provider_generation providers[] = {{uuid_of(UUID_A), 7}, {uuid_of(UUID_B), 0}};
    struct consumer consumer = {.id = uuid_of(UUID_C),
                                .project_id = text_of("p"),
                                .user_id = text_of("u"),
                                .consumer_type = text_of("INSTANCE"),
                                .generation = 2,
                                .allocations = allocations,
                                .allocation_count = 3};
    struct result result = {.consumer = &consumer, .providers = providers, .provider_count = 2};
#define HELD                                                                                       \
    "{\"allocations\":{\"" UUID_A "\":{\"generation\":7,\"resources\":{\"DISK_GB\":5,\"VCPU\":2}}" \
    ",\"" UUID_B "\":{\"generation\":0,\"resources\":{\"VCPU\":9}}},\"project_id\":\"p\","         \
    "\"user_id\":\"u\",\"consumer_generation\":2,\"consumer_type\":\"INSTANCE\",\"mappings\":"
    assert_result(*state, COMMAND_ALLOCATION_GET, result, SUCCESS("allocation.get", HELD "null}"));
    consumer.mappings = text_of("{\"\":[\"" UUID_A "\"]}");
    assert_result(*state, COMMAND_ALLOCATION_GET, result,
                  SUCCESS("allocation.get", HELD "{\"\":[\"" UUID_A "\"]}}"));
}

static void test_no_such_consumer_is_a_success_without_allocations(void **state)
{
    assert_result(*state, COMMAND_ALLOCATION_GET, (struct result){0},
                  SUCCESS("allocation.get", "{\"allocations\":{}}"));
}

static void test_usages_are_grouped_by_type(void **state)
{
    struct usage_amount amounts[] = {{text_of("DISK_GB"), 9223372036854775807},
                                     {text_of("VCPU"), 2}};
    struct usage_group groups[] = {{text_of("INSTANCE"), 3, amounts, 2},
                                   {text_of("X"), 1, NULL, 0}};
    struct result result = {.groups = groups, .group_count = 2};
    assert_result(*state, COMMAND_USAGE_GET, result,
                  SUCCESS("usage.get", "{\"usages\":{\"INSTANCE\":{\"consumer_count\":3,"
                                       "\"DISK_GB\":9223372036854775807,\"VCPU\":2},"
                                       "\"X\":{\"consumer_count\":1}}}"));
    result.group_count = 0;
    assert_result(*state, COMMAND_USAGE_GET, result, SUCCESS("usage.get", "{\"usages\":{}}"));
}

static void test_a_failure_has_code_message_and_details(void **state)
{
    struct arena *arena = *state;
    struct verdict verdict = {0};
    verdict_refuse(&verdict, arena, VERDICT_CONSUMER_GENERATION_CONFLICT, "it is %d, not %d", 2, 1);
    verdict_add_uuid(&verdict, "consumer", uuid_of(UUID_C));
    verdict_add_integer(&verdict, "given", INT64_MIN);
    verdict_add_null(&verdict, "stored");
    struct text reply = reply_encode(arena, text_of("allocation.set"), COMMAND_ALLOCATION_SET,
                                     text_of("k"), &verdict);
    assert_text(reply, HEAD("allocation.set") "\"status\":\"failure\",\"error\":{\"code\":"
                                              "\"consumer_generation_conflict\",\"message\":"
                                              "\"it is 2, not 1\",\"retryable\":true,\"details\":{"
                                              "\"consumer\":\"" UUID_C "\",\"given\":"
                                              "-9223372036854775808,\"stored\":null}}}");
}

static void test_details_may_be_lists(void **state)
{
    struct arena *arena = *state;
    struct uuid providers[] = {uuid_of(UUID_A), uuid_of(UUID_B)};
    struct text classes[] = {text_of("DISK_GB"), text_of("VCPU")};
    struct verdict verdict = {0};
    verdict_refuse(&verdict, arena, VERDICT_INVENTORY_IN_USE, "no");
    verdict_add_uuids(&verdict, "providers", providers, 2);
    verdict_add_texts(&verdict, "resource_classes", classes, 2);
    verdict_add_texts(&verdict, "none", NULL, 0);
    struct text reply =
        reply_encode(arena, text_of("reshape"), COMMAND_RESHAPE, text_of("k"), &verdict);
    assert_text(reply,
                HEAD("reshape") "\"status\":\"failure\",\"error\":{\"code\":"
                                "\"inventory_in_use\",\"message\":\"no\",\"retryable\":false,"
                                "\"details\":{\"providers\":[\"" UUID_A "\",\"" UUID_B
                                "\"],\"resource_classes\":[\"DISK_GB\",\"VCPU\"],"
                                "\"none\":[]}}}");
}

static void test_what_could_not_be_read_is_null(void **state)
{
    struct arena *arena = *state;
    struct verdict verdict = {0};
    verdict_refuse(&verdict, arena, VERDICT_MALFORMED, "no");
    struct text reply = reply_encode(arena, TEXT_NONE, COMMAND_PROVIDER_GET, TEXT_NONE, &verdict);
    assert_text(reply, "{\"version\":1,\"command\":null,\"message_id\":null,\"status\":\"failure\","
                       "\"error\":{\"code\":\"malformed\",\"message\":\"no\",\"retryable\":false,"
                       "\"details\":{}}}");
    reply = reply_encode(arena, text_of(""), COMMAND_PROVIDER_GET, TEXT_NONE, &verdict);
    assert_true(text_starts_with(reply, "{\"version\":1,\"command\":\"\","));
}

/* Returns how a text is written in a reply. */
static struct text written(struct arena *arena, struct text value)
{
    struct verdict verdict = {.code = VERDICT_FORBIDDEN};
    verdict_add_text(&verdict, "reply_to", value);
    struct text reply = reply_encode(arena, TEXT_NONE, COMMAND_PROVIDER_GET, TEXT_NONE, &verdict);
    const char *found = strstr(text_copy(arena, reply).bytes, "\"reply_to\":");
    assert_non_null(found);
    found += strlen("\"reply_to\":");
    return text_view(found, strlen(found) - strlen("}}}"));
}

static void test_texts_are_escaped_where_json_wants_it(void **state)
{
    assert_text(written(*state, text_view("\"\\/\b\f\n\r\t\x01\x1f\x7f\0<", 13)),
                "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000<\"");
    assert_text(written(*state, text_of("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80")),
                "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
}

/* Properties may contain any bytes; a reply is always UTF-8. */
static void test_bytes_that_are_no_utf8_are_replaced(void **state)
{
#define REPLACED "\xEF\xBF\xBD"
    static const struct {
        const char *bytes;
        const char *text;
    } rows[] = {
        {"a\x80z", "\"a" REPLACED "z\""},
        {"\xFF", "\"" REPLACED "\""},
        {"\xC3", "\"" REPLACED "\""},
        {"\xC3(", "\"" REPLACED "(\""},
        {"\xC1\x81", "\"" REPLACED REPLACED "\""},
        {"\xE0\x80\x80", "\"" REPLACED REPLACED REPLACED "\""},
        {"\xED\xA0\x80", "\"" REPLACED REPLACED REPLACED "\""},
        {"\xF4\x90\x80\x80", "\"" REPLACED REPLACED REPLACED REPLACED "\""},
        {"\xF0\x9F\x98", "\"" REPLACED REPLACED REPLACED "\""},
        {"\xE2\x82\"", "\"" REPLACED REPLACED "\\\"\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_text(written(*state, text_of(rows[i].bytes)), rows[i].text);
}

static void test_a_long_reply_is_written_whole(void **state)
{
    struct arena *arena = *state;
    enum { COUNT = 20000 };
    struct consumer_generation *consumers = ARENA_ARRAY(arena, struct consumer_generation, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        consumers[i] = (struct consumer_generation){.consumer = {{(uint8_t)(i >> 8), (uint8_t)i}},
                                                    .generation = (int64_t)i};
    struct verdict verdict = {.result = {.consumers = consumers, .consumer_count = COUNT}};
    struct text reply = reply_encode(arena, text_of("allocation.batch"), COMMAND_ALLOCATION_BATCH,
                                     text_of("k"), &verdict);
    json_t *parsed = json_loadb(reply.bytes, reply.length, JSON_REJECT_DUPLICATES, NULL);
    json_t *listed = json_object_get(json_object_get(parsed, "result"), "consumers");
    assert_int_equal(json_object_size(listed), COUNT);
    json_decref(parsed);
}

static void test_a_reply_id_follows_from_principal_and_key(void **state)
{
    struct arena *arena = *state;
    struct text id = reply_message_id(arena, text_of("a"), text_of("bc"));
    assert_text(id, "e98bc483-cc6a-89cc-b82b-c23e481a128c");
    assert_true(text_equal(id, reply_message_id(arena, text_of("a"), text_of("bc"))));
    assert_false(text_equal(id, reply_message_id(arena, text_of("ab"), text_of("c"))));
    assert_false(text_equal(id, reply_message_id(arena, text_of("a"), text_of("bd"))));
    for (char c = '!'; c <= '~'; c++) {
        struct text other = reply_message_id(arena, text_of("a"), text_view(&c, 1));
        assert_int_equal(other.length, UUID_TEXT_LENGTH);
        assert_int_equal(other.bytes[14], '8');
        assert_non_null(memchr("89ab", other.bytes[19], 4));
    }
}

static void test_a_dead_detail_is_cut_at_a_code_point(void **state)
{
    struct arena *arena = *state;
    char bytes[DEAD_DETAIL_BYTES_MAX + 8];
    memset(bytes, 'x', sizeof bytes);
    struct text fits = reply_dead_detail(arena, text_view(bytes, DEAD_DETAIL_BYTES_MAX));
    assert_int_equal(fits.length, DEAD_DETAIL_BYTES_MAX);
    struct text cut = reply_dead_detail(arena, text_view(bytes, sizeof bytes));
    assert_int_equal(cut.length, DEAD_DETAIL_BYTES_MAX);

    for (size_t back = 1; back <= 4; back++) {
        memset(bytes, 'x', sizeof bytes);
        memcpy(bytes + DEAD_DETAIL_BYTES_MAX - back, "\xF0\x9F\x98\x80", 4);
        cut = reply_dead_detail(arena, text_view(bytes, sizeof bytes));
        assert_int_equal(cut.length, DEAD_DETAIL_BYTES_MAX - (back == 4 ? 0 : back));
    }
    memset(bytes, '\x80', sizeof bytes);
    cut = reply_dead_detail(arena, text_view(bytes, sizeof bytes));
    assert_in_range(cut.length, DEAD_DETAIL_BYTES_MAX - 4, DEAD_DETAIL_BYTES_MAX);
}

static int setup(void **state)
{
    *state = arena_new(0);
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

#define ARENA_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void test_the_message_of_a_recorded_failure_can_be_read_again(void **state)
{
    struct arena *arena = *state;
    struct text body =
        text_of("{\"status\":\"failure\",\"error\":{\"message\":\"no more \\u00e9\"}}");
    assert_true(text_is(reply_failure_message(arena, body), "no more \xc3\xa9"));
    assert_false(text_present(reply_failure_message(arena, text_of("{\"status\":\"success\"}"))));
    assert_false(text_present(reply_failure_message(arena, text_of("not JSON"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARENA_TEST(test_a_provider_is_answered_with_its_place),
        ARENA_TEST(test_a_delete_is_answered_with_an_empty_object),
        ARENA_TEST(test_provider_get_shows_usages_of_zero_too),
        ARENA_TEST(test_inventory_set_is_answered_with_the_whole_inventory),
        ARENA_TEST(test_a_page_shows_the_allocations_on_its_provider_only),
        ARENA_TEST(test_a_list_shows_the_place_of_each_provider),
        ARENA_TEST(test_a_consumer_that_ended_has_no_generation),
        ARENA_TEST(test_a_batch_and_a_reshape_list_their_consumers),
        ARENA_TEST(test_allocation_get_groups_by_provider),
        ARENA_TEST(test_no_such_consumer_is_a_success_without_allocations),
        ARENA_TEST(test_usages_are_grouped_by_type),
        ARENA_TEST(test_a_failure_has_code_message_and_details),
        ARENA_TEST(test_details_may_be_lists),
        ARENA_TEST(test_what_could_not_be_read_is_null),
        ARENA_TEST(test_texts_are_escaped_where_json_wants_it),
        ARENA_TEST(test_bytes_that_are_no_utf8_are_replaced),
        ARENA_TEST(test_a_long_reply_is_written_whole),
        ARENA_TEST(test_a_reply_id_follows_from_principal_and_key),
        ARENA_TEST(test_the_message_of_a_recorded_failure_can_be_read_again),
        ARENA_TEST(test_a_dead_detail_is_cut_at_a_code_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
