/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which letters are to go when they hold too much (common/core/letter_bounds.h). */
#include "tests/support/cmocka.h"

#include "common/core/letter_bounds.h"

enum { MAX = 4000, SHARE = MAX / LETTER_SHARES };

static struct letter_share share(const char *principal, int64_t bytes)
{
    return (struct letter_share){.principal = text_of(principal), .bytes = bytes};
}

static struct letter_share published(const char *principal, int64_t bytes)
{
    struct letter_share made = share(principal, bytes);
    made.published = bytes;
    made.bodies = 1;
    return made;
}

static void test_letters_within_the_bounds_stay(void **state)
{
    (void)state;
    const struct letter_share shares[] = {published("a", SHARE), published("b", SHARE),
                                          published("c", SHARE), published("d", SHARE)};
    assert_int_equal(letter_cut_choose(shares, 4, MAX).kind, LETTER_CUT_NONE);
    assert_int_equal(letter_cut_choose(NULL, 0, MAX).kind, LETTER_CUT_NONE);
    assert_int_equal(letter_shares_bytes(shares, 4), MAX);
}

static void test_a_principal_over_its_share_loses_its_own_letters(void **state)
{
    (void)state;
    struct letter_share shares[] = {published("a", SHARE), published("b", SHARE + 7),
                                    published("c", 3 * SHARE)};
    shares[0].closed = 500; /* of another principal, so they stay */
    struct letter_cut cut = letter_cut_choose(shares, 2, MAX);
    assert_int_equal(cut.kind, LETTER_CUT_BODIES);
    assert_true(cut.of_principal && text_is(cut.principal, "b"));
    assert_int_equal(cut.bytes, 7);
    cut = letter_cut_choose(shares, 3, MAX); /* although all together are over the bound as well */
    assert_true(cut.of_principal && text_is(cut.principal, "c"));
    assert_int_equal(cut.bytes, 2 * SHARE);
}

static void test_closed_letters_go_first_then_bodies_then_letters(void **state)
{
    (void)state;
    struct letter_share one = published("a", 2 * SHARE);
    one.closed = 1;
    assert_int_equal(letter_cut_choose(&one, 1, MAX).kind, LETTER_CUT_CLOSED);
    one.closed = 0;
    assert_int_equal(letter_cut_choose(&one, 1, MAX).kind, LETTER_CUT_BODIES);
    one.bodies = 0;
    assert_int_equal(letter_cut_choose(&one, 1, MAX).kind, LETTER_CUT_PUBLISHED);
    one.published = 0;
    assert_int_equal(letter_cut_choose(&one, 1, MAX).kind, LETTER_CUT_NONE);
}

static void test_unpublished_letters_of_one_do_not_protect_another(void **state)
{
    (void)state;
    const struct letter_share shares[] = {share("full", 3 * SHARE), published("b", SHARE + 1)};
    struct letter_cut cut = letter_cut_choose(shares, 2, MAX);
    assert_true(cut.of_principal && text_is(cut.principal, "b"));
}

static void test_all_together_lose_from_all_and_then_from_the_largest(void **state)
{
    (void)state;
    struct letter_share shares[] = {published("a", SHARE - 1), published("b", SHARE),
                                    published("c", SHARE),     published("d", SHARE),
                                    share("e", SHARE),         published("f", 10)};
    shares[5].closed = 10;
    struct letter_cut cut = letter_cut_choose(shares, 6, MAX);
    assert_int_equal(cut.kind, LETTER_CUT_CLOSED);
    assert_false(cut.of_principal);
    assert_int_equal(cut.bytes, SHARE + 9);
    shares[5].closed = 0;
    cut = letter_cut_choose(shares, 6, MAX);
    assert_int_equal(cut.kind, LETTER_CUT_BODIES);
    assert_false(cut.of_principal);
    for (size_t i = 0; i < 6; i++)
        shares[i].bodies = 0;
    cut = letter_cut_choose(shares, 6, MAX);
    assert_int_equal(cut.kind, LETTER_CUT_PUBLISHED);
    assert_true(cut.of_principal && text_is(cut.principal, "b"));
    assert_int_equal(cut.bytes, SHARE + 9);
}

static void test_a_principal_is_full_of_its_unpublished_letters_only(void **state)
{
    (void)state;
    struct letter_share one = published("a", 3 * SHARE);
    assert_false(letter_share_is_full(&one, MAX));
    one.bytes += SHARE - 1;
    assert_false(letter_share_is_full(&one, MAX));
    one.bytes++;
    assert_true(letter_share_is_full(&one, MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters_within_the_bounds_stay),
        cmocka_unit_test(test_a_principal_over_its_share_loses_its_own_letters),
        cmocka_unit_test(test_closed_letters_go_first_then_bodies_then_letters),
        cmocka_unit_test(test_unpublished_letters_of_one_do_not_protect_another),
        cmocka_unit_test(test_all_together_lose_from_all_and_then_from_the_largest),
        cmocka_unit_test(test_a_principal_is_full_of_its_unpublished_letters_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
