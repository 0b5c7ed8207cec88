/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. capacity_page() shows ROOTS_MAX trees at a time, by name: it reads the roots, then all
 * that is below them, and makes an array of nodes, sorted by parent and name; the children of a
 * provider are a range of it. A tree is folded; its line has the sums of all of it. A search shows
 * what it has found as a list.
 *
 * Nodes that are not below their root by their parents (a damaged tree) are not reached, and are
 * listed at the end; `depth` bounds the recursion.
 */
#include "common/mongo/capacity_read.h"

#include "common/base/array.h"
#include "ctl/web/bar.h"
#include "ctl/web/parts.h"

enum { ROOTS_MAX = 50, BELOW_MAX = 2000, FOUND_MAX = 200, DEPTH_MAX = 64, SUMS_MAX = 64 };

struct trees {
    struct capacity_providers roots;
    struct capacity_providers below; /* by parent, then name */
};

/* The sums of a tree, by class in the order in which they are found. */
struct sums {
    struct bar bars[SUMS_MAX];
    size_t count;
    size_t providers;
};

/* --- trees ---------------------------------------------------------------------------------- */

static int compare_places(const void *a, const void *b)
{
    const struct provider *x = a, *y = b;
    int parents = uuid_compare(x->parent, y->parent);
    return parents != 0 ? parents : text_compare(x->name, y->name);
}

/* Returns the children of a provider: the first one, and their number. */
static const struct provider *children_of(const struct trees *trees, struct uuid parent,
                                          size_t *ret_count)
{
    size_t low = 0, high = trees->below.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (uuid_compare(trees->below.list[middle].parent, parent) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < trees->below.count && uuid_equal(trees->below.list[end].parent, parent))
        end++;
    *ret_count = end - low;
    return trees->below.list + low;
}

static void add_to_sums(struct sums *sums, const struct provider *provider)
{
    sums->providers++;
    for (size_t i = 0; i < provider->record_count; i++) {
        struct bar bar = bar_of(&provider->records[i]);
        size_t at = 0;
        while (at < sums->count && !text_equal(sums->bars[at].resource_class, bar.resource_class))
            at++;
        if (at < sums->count)
            bar_add(&sums->bars[at], &bar);
        else if (sums->count < SUMS_MAX)
            sums->bars[sums->count++] = bar;
    }
}

static void sum_tree(const struct trees *trees, const struct provider *top, size_t depth,
                     struct sums *sums)
{
    size_t count = 0;
    add_to_sums(sums, top);
    const struct provider *children = children_of(trees, top->id, &count);
    for (size_t i = 0; i < count && depth < DEPTH_MAX; i++)
        sum_tree(trees, &children[i], depth + 1, sums);
}

/* --- providers ------------------------------------------------------------------------------ */

static void add_name(struct html *html, const struct provider *provider)
{
    struct uuid_text id = uuid_format(provider->id);
    html_raw(html, "<a class=\"provider-name\"");
    html_attribute(html, "href", text_format(html->arena, "/provider/%s", id.chars));
    html_raw(html, ">");
    part_text(html, provider->name, PART_TEXT_BYTES_MAX);
    html_raw(html, "</a>");
}

static void add_bars(struct html *html, const struct provider *provider)
{
    html_raw(html, "<div class=\"classes\">");
    for (size_t i = 0; i < provider->record_count; i++) {
        struct bar bar = bar_of(&provider->records[i]);
        bar_write(html, &bar, &provider->records[i]);
    }
    if (provider->record_count == 0)
        html_raw(html, "<p class=\"faint\">no inventory</p>");
    html_raw(html, "</div>");
}

static void add_node(struct html *html, const struct trees *trees, const struct provider *provider,
                     size_t depth);

static void add_children(struct html *html, const struct trees *trees,
                         const struct provider *children, size_t count, size_t depth)
{
    html_raw(html, "<ul class=\"tree\">");
    for (size_t i = 0; i < count; i++)
        add_node(html, trees, &children[i], depth + 1);
    html_raw(html, "</ul>");
}

/* The sums of a tree: what one wants to see without unfolding it. */
static void add_sums(struct html *html, const struct sums *sums)
{
    html_raw(html, "<div class=\"classes\">");
    for (size_t i = 0; i < sums->count; i++)
        bar_write(html, &sums->bars[i], NULL);
    if (sums->count == 0)
        html_raw(html, "<p class=\"faint\">no inventory</p>");
    html_raw(html, "</div>");
}

static void add_tree(struct html *html, const struct trees *trees, const struct provider *provider,
                     const struct provider *children, size_t count, size_t depth)
{
    struct sums sums = {.count = 0};
    sum_tree(trees, provider, depth, &sums);
    html_raw(html, "<p class=\"faint\">the whole tree, ");
    part_count(html, (int64_t)sums.providers, "provider");
    html_raw(html, "</p>");
    add_sums(html, &sums);
    html_raw(html, "<details><summary>");
    html_format(html, "%zu below %.*s", count, TEXT_ARGS(provider->name));
    html_raw(html, "</summary>");
    if (provider->record_count > 0) {
        html_raw(html, "<p class=\"faint\">the provider itself</p>");
        add_bars(html, provider);
    }
    if (depth < DEPTH_MAX)
        add_children(html, trees, children, count, depth);
    html_raw(html, "</details>");
}

static void add_node(struct html *html, const struct trees *trees, const struct provider *provider,
                     size_t depth)
{
    size_t count = 0;
    const struct provider *children = children_of(trees, provider->id, &count);
    html_raw(html, "<li class=\"provider\">");
    add_name(html, provider);
    if (count > 0)
        add_tree(html, trees, provider, children, count, depth);
    else
        add_bars(html, provider);
    html_raw(html, "</li>");
}

static void add_trees(struct html *html, const struct trees *trees)
{
    if (trees->below.more)
        html_raw(html,
                 "<p class=\"warning\">The trees of this page have more providers than can be "
                 "shown. Sums and lists are not complete: search for a provider.</p>");
    html_raw(html, "<ul class=\"trees\">");
    for (size_t i = 0; i < trees->roots.count; i++)
        add_node(html, trees, &trees->roots.list[i], 0);
    html_raw(html, "</ul>");
}

static bool read_trees(const struct site *site, const struct web_request *request,
                       struct trees *ret_trees, struct error *error)
{
    struct text after = form_value(&request->query, "after");
    if (mongo_capacity_roots(site->store, after.length > 0 ? after : TEXT_NONE, ROOTS_MAX,
                             request->arena, &ret_trees->roots, error) != STORE_OK)
        return false;
    struct uuid *ids = ARENA_ARRAY(request->arena, struct uuid, ret_trees->roots.count);
    for (size_t i = 0; i < ret_trees->roots.count; i++)
        ids[i] = ret_trees->roots.list[i].id;
    if (mongo_capacity_below(site->store, ids, ret_trees->roots.count, BELOW_MAX, request->arena,
                             &ret_trees->below, error) != STORE_OK)
        return false;
    array_sort(ret_trees->below.list, ret_trees->below.count, sizeof *ret_trees->below.list,
               compare_places);
    return true;
}

/* --- the page ------------------------------------------------------------------------------- */

static void add_search(struct html *html, struct text text)
{
    html_raw(html, "<form class=\"search\" method=\"get\" action=\"/capacity\" role=\"search\">"
                   "<label class=\"field\"><span>Name or UUID of a provider</span>"
                   "<input type=\"search\" name=\"q\" autocomplete=\"off\" spellcheck=\"false\"");
    html_attribute(html, "value", text);
    html_raw(html, "></label><button>Search</button></form>");
}

static void add_legend(struct html *html)
{
    html_raw(html, "<p class=\"legend\"><span class=\"key key-used\">used</span>"
                   "<span class=\"key key-reserved\">reserved</span>"
                   "<span class=\"key key-free\">free</span>"
                   "<span class=\"key key-over\">over-committed</span>"
                   "<span class=\"faint\">amounts after the allocation ratio</span></p>");
}

static void add_found(struct html *html, const struct capacity_providers *found)
{
    html_raw(html, "<p class=\"lead\">");
    part_count(html, (int64_t)found->count, "provider");
    html_raw(html, " found");
    if (found->more)
        html_raw(html, ", and there are more: search for a longer part of the name");
    html_raw(html, ". <a href=\"/capacity\">All trees</a></p><ul class=\"trees\">");
    for (size_t i = 0; i < found->count; i++) {
        html_raw(html, "<li class=\"provider\">");
        add_name(html, &found->list[i]);
        add_bars(html, &found->list[i]);
        html_raw(html, "</li>");
    }
    html_raw(html, "</ul>");
}

static void add_next(struct html *html, const struct capacity_providers *roots)
{
    if (!roots->more)
        return;
    html_raw(html, "<nav class=\"pages\" aria-label=\"Pages\"><a href=\"/capacity?after=");
    html_url(html, roots->list[roots->count - 1].name);
    html_raw(html, "\">next trees \xE2\x86\x92</a></nav>");
}

static struct web_response search(const struct site *site, const struct web_request *request,
                                  struct text text)
{
    struct error error = {""};
    struct capacity_providers found;
    enum store_status status =
        mongo_capacity_search(site->store, text, FOUND_MAX, request->arena, &found, &error);
    if (status != STORE_OK && status != STORE_REFUSED)
        return page_failure(site, request, "The providers cannot be read", &error);
    struct html html = page_begin(site, request, "Capacity", PAGE_CAPACITY);
    add_search(&html, text);
    add_legend(&html);
    if (status == STORE_REFUSED) {
        html_raw(&html, "<p class=\"error\" role=\"alert\">");
        html_string(&html, error.text);
        html_raw(&html, "</p>");
    } else {
        add_found(&html, &found);
    }
    return page_end(site, &html);
}

struct web_response capacity_page(const struct site *site, const struct web_request *request)
{
    struct error error = {""};
    struct trees trees = {0};
    struct text text = form_value(&request->query, "q");
    if (text.length > 0)
        return search(site, request, text);
    if (!read_trees(site, request, &trees, &error))
        return page_failure(site, request, "The providers cannot be read", &error);
    struct html html = page_begin(site, request, "Capacity", PAGE_CAPACITY);
    add_search(&html, TEXT_NONE);
    add_legend(&html);
    if (trees.roots.count == 0)
        html_raw(&html, "<p class=\"empty\">There are no providers.</p>");
    add_trees(&html, &trees);
    add_next(&html, &trees.roots);
    return page_end(site, &html);
}
