/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests the invalid params of allocation.set, allocation.batch, allocation.delete and reshape, and
 * the JSON Pointer of each failure.
 *
 * A row of a table has the params and the expected pointer, or NULL if they are valid (struct row
 * in test_command_decode.h). `many` builds objects with thousands of entries, for the limits of the
 * protocol.
 *
 * Valid params and the structs that they become are in test_command_decode_values.c; params of
 * providers, inventories and reads are in test_command_decode_params.c.
 */
#include "tests/unit/test_command_decode.h"

/* Returns {uuid 0: entry, uuid 1: entry, ...} in the arena. */
static const char *many(struct arena *arena, size_t count, const char *entry)
{
    size_t room = count * (strlen(entry) + 48) + 3;
    char *bytes = arena_alloc(arena, room);
    size_t used = 0;
    bytes[used++] = '{';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(bytes + used, room - used, "%s\"%032zx\":%s", i > 0 ? "," : "", i,
                                 entry);
    bytes[used] = '}';
    return bytes;
}

#define OWNER "\"project_id\":\"p\",\"user_id\":\"u\",\"consumer_type\":\"INSTANCE\""
#define NEW "\"consumer_generation\":null"
#define NONE "\"allocations\":{}"
#define ONE "\"allocations\":{\"" UUID_B "\":{\"resources\":{\"VCPU\":1}}}"

static void test_an_allocation_names_its_owner_and_generation(void **state)
{
    static const struct row rows[] = {
        {"{" CONSUMER "," OWNER "," NEW "," NONE "}", NULL},
        {"{" CONSUMER "," OWNER ",\"consumer_generation\":1," ONE "}", NULL},
        {"{" CONSUMER "," OWNER ",\"consumer_generation\":-9223372036854775808," ONE "}", NULL},
        {"{" OWNER "," NEW "," ONE "}", "/params/consumer_uuid"},
        {"{" CONSUMER "," OWNER "," ONE "}", "/params/consumer_generation"},
        {"{" CONSUMER "," OWNER ",\"consumer_generation\":1.0," ONE "}",
         "/params/consumer_generation"},
        {"{" CONSUMER "," OWNER ",\"consumer_generation\":\"1\"," ONE "}",
         "/params/consumer_generation"},
        {"{" CONSUMER "," OWNER ",\"consumer_generation\":false," ONE "}",
         "/params/consumer_generation"},
        {"{" CONSUMER "," OWNER "," NEW "}", "/params/allocations"},
        {"{" CONSUMER "," OWNER "," NEW ",\"allocations\":null}", "/params/allocations"},
        {"{" CONSUMER "," OWNER "," NEW ",\"allocations\":[]}", "/params/allocations"},
        {"{" CONSUMER "," OWNER "," NEW "," ONE ",\"extra\":1}", "/params/extra"},
        {"{" CONSUMER ",\"user_id\":\"u\",\"consumer_type\":\"T\"," NEW "," ONE "}",
         "/params/project_id"},
        {"{" CONSUMER ",\"project_id\":\"p\",\"consumer_type\":\"T\"," NEW "," ONE "}",
         "/params/user_id"},
        {"{" CONSUMER ",\"project_id\":\"p\",\"user_id\":\"u\"," NEW "," ONE "}",
         "/params/consumer_type"},
        {"{" CONSUMER ",\"project_id\":\"\",\"user_id\":\"u\",\"consumer_type\":\"T\"," NEW "," ONE
         "}",
         "/params/project_id"},
        {"{" CONSUMER ",\"project_id\":\"p\",\"user_id\":null,\"consumer_type\":\"T\"," NEW "," ONE
         "}",
         "/params/user_id"},
    };
    CHECK(*state, "allocation.set", rows);
}

static void test_an_allocation_has_amounts_of_classes_on_providers(void **state)
{
#define AT "{" CONSUMER "," OWNER "," NEW ",\"allocations\":{"
#define PLACE "/params/allocations/" UUID_B
#define HOLDS(entry) AT "\"" UUID_B "\":" entry "}}"
    static const struct row rows[] = {
        {HOLDS("{\"resources\":{\"VCPU\":2147483647,\"DISK_GB\":1},\"generation\":7}"), NULL},
        {HOLDS("{\"resources\":{\"VCPU\":1},\"generation\":-7}"), NULL},
        {HOLDS("{\"resources\":{\"VCPU\":1},\"generation\":null}"), PLACE "/generation"},
        {HOLDS("{\"resources\":{\"VCPU\":1},\"generation\":1.0}"), PLACE "/generation"},
        {HOLDS("{\"resources\":{\"VCPU\":1},\"extra\":1}"), PLACE "/extra"},
        {HOLDS("{\"resources\":{}}"), PLACE "/resources"},
        {HOLDS("{\"resources\":null}"), PLACE "/resources"},
        {HOLDS("{\"generation\":1}"), PLACE "/resources"},
        {HOLDS("{}"), PLACE "/resources"},
        {HOLDS("[]"), PLACE},
        {HOLDS("{\"resources\":{\"VCPU\":0}}"), PLACE "/resources/VCPU"},
        {HOLDS("{\"resources\":{\"VCPU\":-1}}"), PLACE "/resources/VCPU"},
        {HOLDS("{\"resources\":{\"VCPU\":2147483648}}"), PLACE "/resources/VCPU"},
        {HOLDS("{\"resources\":{\"VCPU\":1.0}}"), PLACE "/resources/VCPU"},
        {HOLDS("{\"resources\":{\"VCPU\":1e2}}"), PLACE "/resources/VCPU"},
        {HOLDS("{\"resources\":{\"VCPU\":null}}"), PLACE "/resources/VCPU"},
        {HOLDS("{\"resources\":{\"vcpu\":1}}"), PLACE "/resources/vcpu"},
        {AT "\"x/y\":{\"resources\":{\"VCPU\":1}}}}", "/params/allocations/x~1y"},
        {AT "\"\":{\"resources\":{\"VCPU\":1}}}}", "/params/allocations/"},
    };
    CHECK(*state, "allocation.set", rows);
}

#define ENTRY "{\"resources\":{\"VCPU\":1}}"
#define LOWER "cccccccc-cccc-cccc-cccc-cccccccccccc"
#define UPPER "CCCCCCCC-CCCC-CCCC-CCCC-CCCCCCCCCCCC"
#define SHORT "cccccccccccccccccccccccccccccccc"

static void assert_twice(struct arena *arena, const char *command, const char *params,
                         const char *place)
{
    struct decoded decoded = decode_command(arena, command, params);
    assert_code(&decoded, VERDICT_INVALID);
    struct text pointer = detail_text(&decoded, "pointer");
    assert_true(text_starts_with(pointer, place));
    struct text key = text_view(pointer.bytes + strlen(place), pointer.length - strlen(place));
    assert_true(text_is(key, LOWER) || text_is(key, UPPER) || text_is(key, SHORT));
}

static void test_two_spellings_of_one_uuid_are_one_key(void **state)
{
#define BATCH_ENTRY "{" OWNER "," NEW "," NONE "}"
    assert_twice(*state, "allocation.set", AT "\"" LOWER "\":" ENTRY ",\"" UPPER "\":" ENTRY "}}",
                 "/params/allocations/");
    assert_twice(*state, "allocation.set",
                 AT "\"" LOWER "\":" ENTRY ",\"" UUID_A "\":" ENTRY ",\"" SHORT "\":" ENTRY "}}",
                 "/params/allocations/");
    assert_twice(*state, "allocation.batch",
                 "{\"consumers\":{\"" UPPER "\":" BATCH_ENTRY ",\"" SHORT "\":" BATCH_ENTRY "}}",
                 "/params/consumers/");
    assert_twice(*state, "reshape",
                 "{\"inventories\":{\"" UPPER "\":{" GENERATION ",\"inventories\":{}},\"" LOWER
                 "\":{" GENERATION ",\"inventories\":{}}},\"allocations\":{}}",
                 "/params/inventories/");
    assert_twice(*state, "reshape",
                 "{\"inventories\":{\"" UUID_A "\":{" GENERATION
                 ",\"inventories\":{}}},\"allocations\":{\"" UPPER "\":" BATCH_ENTRY ",\"" SHORT
                 "\":" BATCH_ENTRY "}}",
                 "/params/allocations/");
}

static struct decoded decode_type(struct arena *arena, const char *command, const char *type)
{
    bool set = strcmp(command, "allocation.set") == 0;
    const char *rest = set ? "," CONSUMER ",\"user_id\":\"u\"," NEW "," NONE : "";
    struct text params =
        text_format(arena, "{\"project_id\":\"p\",\"consumer_type\":\"%s\"%s}", type, rest);
    return decode_command(arena, command, params.bytes);
}

static void test_a_consumer_type_is_capitals_digits_and_underscores(void **state)
{
    struct arena *arena = *state;
    const char *longest = repeat(arena, "Z", CONSUMER_TYPE_MAX);
    const char *longer = repeat(arena, "Z", CONSUMER_TYPE_MAX + 1);
    const char *const valid[] = {"INSTANCE", "A", "_", "0", longest};
    const char *const invalid[] = {"", "instance", "A-B", "A B", "\xC3\x89", "A\\n", "ALl", longer};
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        struct decoded set = decode_type(arena, "allocation.set", valid[i]);
        assert_accepted(&set);
        struct decoded usage = decode_type(arena, "usage.get", valid[i]);
        assert_accepted(&usage);
    }
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        struct decoded set = decode_type(arena, "allocation.set", invalid[i]);
        assert_invalid(&set, "/params/consumer_type");
        struct decoded usage = decode_type(arena, "usage.get", invalid[i]);
        assert_invalid(&usage, "/params/consumer_type");
    }
    static const char *const groups[] = {"all", "unknown"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        struct decoded set = decode_type(arena, "allocation.set", groups[i]);
        assert_invalid(&set, "/params/consumer_type");
        struct decoded usage = decode_type(arena, "usage.get", groups[i]);
        assert_accepted(&usage);
    }
}

static void test_mappings_are_arrays_of_uuids(void **state)
{
#define MAPPED(mappings) "{" CONSUMER "," OWNER "," NEW "," ONE ",\"mappings\":" mappings "}"
#define IDS "[\"" UUID_A "\"]"
#define KEY16 "abcdefghijklmno_"
    static const struct row rows[] = {
        {MAPPED("{\"\":" IDS "}"), NULL},
        {MAPPED("{\"_A-z09\":[\"" UUID_A "\",\"" UUID_A "\"]}"), NULL},
        {MAPPED("{\"" KEY16 KEY16 KEY16 KEY16 "\":" IDS "}"), NULL},
        {MAPPED("{\"" SHORT "\":" IDS ",\"" UPPER "\":" IDS "}"), NULL},
        {MAPPED("{\"" KEY16 KEY16 KEY16 KEY16 "x\":" IDS "}"),
         "/params/mappings/" KEY16 KEY16 KEY16 KEY16 "x"},
        {MAPPED("{\"a b\":" IDS "}"), "/params/mappings/a b"},
        {MAPPED("{\"a.b\":" IDS "}"), "/params/mappings/a.b"},
        {MAPPED("{\"\xC3\xA9\":" IDS "}"), "/params/mappings/\xC3\xA9"},
        {MAPPED("null"), "/params/mappings"},
        {MAPPED("[]"), "/params/mappings"},
        {MAPPED("{}"), "/params/mappings"},
        {MAPPED("{\"a\":[]}"), "/params/mappings/a"},
        {MAPPED("{\"a\":{}}"), "/params/mappings/a"},
        {MAPPED("{\"a\":\"" UUID_A "\"}"), "/params/mappings/a"},
        {MAPPED("{\"\":[1]}"), "/params/mappings//0"},
        {MAPPED("{\"a\":[\"" UUID_A "\",\"x\"]}"), "/params/mappings/a/1"},
        {MAPPED("{\"a\":[\"" UUID_A "\",\"" UUID_A "\",null]}"), "/params/mappings/a/2"},
    };
    CHECK(*state, "allocation.set", rows);
}

static void test_the_index_in_a_pointer_may_have_several_digits(void **state)
{
    struct arena *arena = *state;
    struct text params =
        text_format(arena, MAPPED("{\"a\":[%s1]}"), repeat(arena, "\"" UUID_A "\",", 1203));
    struct decoded decoded = decode_command(arena, "allocation.set", params.bytes);
    assert_invalid(&decoded, "/params/mappings/a/1203");
}

static void test_a_delete_may_name_a_generation(void **state)
{
    static const struct row rows[] = {
        {"{" CONSUMER "}", NULL},
        {"{" CONSUMER ",\"consumer_generation\":3}", NULL},
        {"{" CONSUMER ",\"consumer_generation\":null}", "/params/consumer_generation"},
        {"{" CONSUMER ",\"consumer_generation\":3.0}", "/params/consumer_generation"},
        {"{}", "/params/consumer_uuid"},
        {"{" CONSUMER "," NONE "}", "/params/allocations"},
    };
    CHECK(*state, "allocation.delete", rows);
}

static void test_a_batch_holds_sets_without_the_consumer_uuid(void **state)
{
#define BATCH(entry) "{\"consumers\":{\"" UUID_C "\":" entry "}}"
#define AT_C "/params/consumers/" UUID_C
    static const struct row rows[] = {
        {BATCH(BATCH_ENTRY), NULL},
        {BATCH("{" OWNER "," NEW "," ONE ",\"mappings\":{\"\":" IDS "}}"), NULL},
        {BATCH("{" CONSUMER "," OWNER "," NEW "," ONE "}"), AT_C "/consumer_uuid"},
        {BATCH("{" OWNER "," ONE "}"), AT_C "/consumer_generation"},
        {BATCH("{" OWNER "," NEW "}"), AT_C "/allocations"},
        {BATCH("{" OWNER "," NEW ",\"allocations\":{\"" UUID_B "\":{\"resources\":{\"VCPU\":0}}}}"),
         AT_C "/allocations/" UUID_B "/resources/VCPU"},
        {BATCH("null"), AT_C},
        {"{\"consumers\":{\"x\":" BATCH_ENTRY "}}", "/params/consumers/x"},
        {"{\"consumers\":{}}", "/params/consumers"},
        {"{\"consumers\":[]}", "/params/consumers"},
        {"{}", "/params/consumers"},
        {"{\"consumers\":{\"" UUID_C "\":" BATCH_ENTRY "},\"x\":1}", "/params/x"},
    };
    CHECK(*state, "allocation.batch", rows);
}

static void test_a_reshape_holds_inventories_and_allocations(void **state)
{
#define MOVED "\"inventories\":{\"" UUID_C "\":{" GENERATION ",\"inventories\":{}}}"
#define IN(record) "{\"inventories\":{\"" UUID_C "\":" record "},\"allocations\":{}}"
#define AT_I "/params/inventories/" UUID_C
    static const struct row rows[] = {
        {"{" MOVED ",\"allocations\":{}}", NULL},
        {"{" MOVED ",\"allocations\":{\"" UUID_C "\":" BATCH_ENTRY "}}", NULL},
        {"{" MOVED "}", "/params/allocations"},
        {"{" MOVED ",\"allocations\":null}", "/params/allocations"},
        {"{" MOVED ",\"allocations\":{\"" UUID_C "\":{" CONSUMER "," OWNER "," NEW "," NONE "}}}",
         "/params/allocations/" UUID_C "/consumer_uuid"},
        {"{\"allocations\":{}}", "/params/inventories"},
        {"{\"inventories\":{},\"allocations\":{}}", "/params/inventories"},
        {"{" MOVED ",\"allocations\":{},\"x\":1}", "/params/x"},
        {IN("{\"inventories\":{}}"), AT_I "/resource_provider_generation"},
        {IN("{" GENERATION "}"), AT_I "/inventories"},
        {IN("{" GENERATION ",\"inventories\":{}," ID "}"), AT_I "/uuid"},
        {IN("{" GENERATION ",\"inventories\":{\"VCPU\":{}}}"), AT_I "/inventories/VCPU/total"},
        {IN("[]"), AT_I},
    };
    CHECK(*state, "reshape", rows);
}

static void test_a_command_names_at_most_1000_consumers_and_inventories(void **state)
{
    struct arena *arena = *state;
    for (size_t over = 0; over < 2; over++) {
        const char *consumers = many(arena, CONSUMERS_MAX + over, BATCH_ENTRY);
        const char *inventories =
            many(arena, INVENTORIES_MAX + over, "{" GENERATION ",\"inventories\":{}}");
        struct row batch[] = {{text_format(arena, "{\"consumers\":%s}", consumers).bytes,
                               over ? "/params/consumers" : NULL}};
        CHECK(arena, "allocation.batch", batch);
        struct row reshape[] = {
            {text_format(arena, "{\"inventories\":%s,\"allocations\":{}}", inventories).bytes,
             over ? "/params/inventories" : NULL},
            {text_format(arena, "{" MOVED ",\"allocations\":%s}", consumers).bytes,
             over ? "/params/allocations" : NULL}};
        CHECK(arena, "reshape", reshape);
    }
}

static void test_the_decoder_does_not_limit_the_number_of_providers(void **state)
{
    struct arena *arena = *state;
    const char *providers = many(arena, CONSUMER_PROVIDERS_MAX + 1, ENTRY);
    struct row rows[] = {
        {text_format(arena, "{" CONSUMER "," OWNER "," NEW ",\"allocations\":%s}", providers).bytes,
         NULL}};
    CHECK(arena, "allocation.set", rows);
}

/* A command in flight keeps its arena. What only the decoder needed is not in it. */
static void test_a_large_command_takes_a_few_times_its_body(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0), *decoded_in = arena_new(0);
    const char *allocations = many(arena, 1000, "{\"resources\":{\"VCPU\":1}}");
    struct text params =
        text_format(arena, "{" CONSUMER "," OWNER "," NEW ",\"allocations\":%s}", allocations);
    struct decoded decoded = decode_command(decoded_in, "allocation.set", params.bytes);
    assert_true(decoded.accepted);
    assert_int_equal(decoded.request.command.params.change.claims[0].provider_count, 1000);
    assert_true(arena_bytes(decoded_in) < 4 * params.length);
    arena_free(decoded_in);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_large_command_takes_a_few_times_its_body),
        ARENA_TEST(test_an_allocation_names_its_owner_and_generation),
        ARENA_TEST(test_an_allocation_has_amounts_of_classes_on_providers),
        ARENA_TEST(test_two_spellings_of_one_uuid_are_one_key),
        ARENA_TEST(test_a_consumer_type_is_capitals_digits_and_underscores),
        ARENA_TEST(test_mappings_are_arrays_of_uuids),
        ARENA_TEST(test_the_index_in_a_pointer_may_have_several_digits),
        ARENA_TEST(test_a_delete_may_name_a_generation),
        ARENA_TEST(test_a_batch_holds_sets_without_the_consumer_uuid),
        ARENA_TEST(test_a_reshape_holds_inventories_and_allocations),
        ARENA_TEST(test_a_command_names_at_most_1000_consumers_and_inventories),
        ARENA_TEST(test_the_decoder_does_not_limit_the_number_of_providers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
