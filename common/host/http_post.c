/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. A transfer runs in a multi handle, although it is alone there: only curl_multi_poll()
 * waits for another descriptor as well, so that a stop ends it at once.
 *
 * Not here: retries (worker/service/notifier.c).
 */
#include "common/host/http_post.h"

/* Else clang-tidy counts the statements of curl's macros to the functions that use them. */
#ifdef __clang_analyzer__
#define CURL_DISABLE_TYPECHECK
#endif
#include <curl/curl.h>

enum { WAIT_MS = 1000, STATUS_OK = 200, STATUS_REDIRECT = 300 };

bool http_library_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

void http_library_cleanup(void)
{
    curl_global_cleanup();
}

/* --- the URL -------------------------------------------------------------------------------- */

/* Returns a part of the URL, in the arena; absent if the URL has none. */
static struct text part_of(CURLU *url, CURLUPart part, struct arena *arena)
{
    char *value = NULL;
    if (curl_url_get(url, part, &value, 0) != CURLUE_OK)
        return TEXT_NONE;
    struct text copy = text_copy(arena, text_of(value));
    curl_free(value);
    return copy;
}

static struct text without_brackets(struct text host)
{
    bool brackets = host.length > 2 && host.bytes[0] == '[';
    return brackets ? text_view(host.bytes + 1, host.length - 2) : host;
}

static bool read_parts(CURLU *parsed, struct arena *arena, struct http_url *ret_url,
                       struct error *error)
{
    struct text scheme = part_of(parsed, CURLUPART_SCHEME, arena);
    struct text host = part_of(parsed, CURLUPART_HOST, arena);
    struct text port = part_of(parsed, CURLUPART_PORT, arena);
    if (!text_is(scheme, "http") && !text_is(scheme, "https")) {
        error_set(error, "expected a URL that begins with http:// or https://");
        return false;
    }
    ret_url->origin = text_format(arena, "%.*s://%.*s%s%.*s", TEXT_ARGS(scheme), TEXT_ARGS(host),
                                  text_present(port) ? ":" : "", TEXT_ARGS(port));
    ret_url->host = text_copy(arena, without_brackets(host));
    ret_url->tls = text_is(scheme, "https");
    ret_url->secret = !text_is(part_of(parsed, CURLUPART_PATH, arena), "/") ||
                      text_present(part_of(parsed, CURLUPART_QUERY, arena)) ||
                      text_present(part_of(parsed, CURLUPART_USER, arena)) ||
                      text_present(part_of(parsed, CURLUPART_PASSWORD, arena));
    return true;
}

bool http_url_read(struct text url, struct arena *arena, struct http_url *ret_url,
                   struct error *error)
{
    CURLU *parsed = curl_url();
    CURLUcode code = CURLUE_OUT_OF_MEMORY;
    bool valid = false;
    if (parsed != NULL)
        code = curl_url_set(parsed, CURLUPART_URL, text_copy(arena, url).bytes, 0);
    if (code == CURLUE_OK)
        valid = read_parts(parsed, arena, ret_url, error);
    else
        error_set(error, "invalid URL: %s", curl_url_strerror(code));
    curl_url_cleanup(parsed);
    return valid;
}

/* --- the transfer --------------------------------------------------------------------------- */

struct transfer {
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers;
    char reason[CURL_ERROR_SIZE];
};

/* The answer's body does not matter. */
static size_t drop(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes;
    (void)context;
    return size * count;
}

static bool set_limits(CURL *easy, int64_t timeout_ms)
{
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms) == CURLE_OK;
}

static bool set_request(struct transfer *transfer, const struct http_post *post)
{
    CURL *easy = transfer->easy;
    return curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->reason) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "allotd") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)post->body.length) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, post->body.bytes) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_URL, post->url) == CURLE_OK;
}

static bool begin(struct transfer *transfer, const struct http_post *post)
{
    transfer->easy = curl_easy_init();
    transfer->multi = curl_multi_init();
    transfer->headers = curl_slist_append(NULL, "Content-Type: application/json");
    return transfer->easy != NULL && transfer->multi != NULL && transfer->headers != NULL &&
           set_limits(transfer->easy, post->timeout_ms) && set_request(transfer, post) &&
           curl_multi_add_handle(transfer->multi, transfer->easy) == CURLM_OK;
}

static void end(struct transfer *transfer)
{
    if (transfer->multi != NULL && transfer->easy != NULL)
        (void)curl_multi_remove_handle(transfer->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    (void)curl_multi_cleanup(transfer->multi);
    curl_slist_free_all(transfer->headers);
}

static bool judge(const struct transfer *transfer, CURLcode code, struct error *error)
{
    long status = 0;
    if (code != CURLE_OK) {
        error_set(error, "%s",
                  transfer->reason[0] != '\0' ? transfer->reason : curl_easy_strerror(code));
        return false;
    }
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= STATUS_OK && status < STATUS_REDIRECT)
        return true;
    error_set(error, "the server answered with the HTTP status %ld", status);
    return false;
}

/* Returns the message that the transfer has ended; NULL if it goes on. */
static const CURLMsg *ending_of(CURLM *multi)
{
    int waiting = 0;
    const CURLMsg *message = curl_multi_info_read(multi, &waiting);
    return message != NULL && message->msg == CURLMSG_DONE ? message : NULL;
}

static bool perform(struct transfer *transfer, int stop_fd, struct error *error)
{
    for (;;) {
        struct curl_waitfd stop = {.fd = stop_fd, .events = CURL_WAIT_POLLIN};
        int running = 0;
        CURLMcode code = curl_multi_perform(transfer->multi, &running);
        const CURLMsg *ending = code == CURLM_OK ? ending_of(transfer->multi) : NULL;
        if (ending != NULL)
            return judge(transfer, ending->data.result, error);
        if (code == CURLM_OK)
            code = curl_multi_poll(transfer->multi, &stop, stop_fd >= 0, WAIT_MS, NULL);
        if (code != CURLM_OK) {
            error_set(error, "libcurl: %s", curl_multi_strerror(code));
            return false;
        }
        if (stop.revents != 0) {
            error_set(error, "the transfer was ended: the worker stops");
            return false;
        }
    }
}

bool http_post(const struct http_post *post, struct error *error)
{
    struct transfer transfer = {.easy = NULL};
    bool done = false;
    if (begin(&transfer, post))
        done = perform(&transfer, post->stop_fd, error);
    else
        error_set(error, "libcurl cannot be used");
    end(&transfer);
    return done;
}
