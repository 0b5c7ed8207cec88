/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/management.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

enum { TIMEOUT_S = 10, ANSWER_BYTES_MAX = 16 * 1024 * 1024 };

struct management {
    CURL *curl;
    char *uri;
    char reason[CURL_ERROR_SIZE];
};

struct answer {
    char *bytes;
    size_t length;
    size_t capacity;
};

static size_t receive(char *bytes, size_t size, size_t count, void *context)
{
    struct answer *answer = context;
    size_t length = size * count;
    if (length > ANSWER_BYTES_MAX - answer->length)
        return 0; /* libcurl ends the transfer */
    while (answer->length + length > answer->capacity)
        answer->bytes = memory_grown(answer->bytes, answer->capacity, &answer->capacity, 1);
    memcpy(answer->bytes + answer->length, bytes, length);
    answer->length += length;
    return length;
}

static bool set_limits(CURL *curl)
{
    return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK && /* AMQP uses none either */
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S) == CURLE_OK;
}

static bool set_options(struct management *self, struct text ca_file)
{
    CURL *curl = self->curl;
    return set_limits(curl) &&
           curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, self->reason) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive) == CURLE_OK &&
           (ca_file.length == 0 ||
            curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file.bytes) == CURLE_OK);
}

struct management *management_new(const char *uri, struct text ca_file, struct error *error)
{
    struct management *self = MEMORY_NEW(struct management);
    size_t length = strlen(uri);
    while (length > 0 && uri[length - 1] == '/')
        length--;
    self->uri = memory_string(uri, length);
    self->curl = curl_easy_init();
    if (self->curl != NULL && set_options(self, ca_file))
        return self;
    error_set(error, "management API: libcurl cannot be used");
    management_free(self);
    return NULL;
}

void management_free(struct management *self)
{
    if (self == NULL)
        return;
    curl_easy_cleanup(self->curl);
    free(self->uri);
    free(self);
}

struct text management_escape(struct management *self, struct arena *arena, struct text name)
{
    char *escaped = curl_easy_escape(self->curl, name.bytes, (int)name.length);
    if (escaped == NULL)
        memory_exhausted();
    struct text copy = text_copy(arena, text_of(escaped));
    curl_free(escaped);
    return copy;
}

/* Returns the HTTP status; 0 if there was no answer, and then `reason` says why. */
static long perform(struct management *self, const char *url, struct answer *answer)
{
    long status = 0;
    self->reason[0] = '\0';
    CURLcode code = curl_easy_setopt(self->curl, CURLOPT_URL, url);
    if (code == CURLE_OK)
        code = curl_easy_setopt(self->curl, CURLOPT_WRITEDATA, answer);
    if (code == CURLE_OK)
        code = curl_easy_perform(self->curl);
    if (code == CURLE_OK)
        code = curl_easy_getinfo(self->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_WRITE_ERROR) /* receive() has refused bytes */
        (void)snprintf(self->reason, sizeof self->reason, "the answer has more than %d MiB",
                       ANSWER_BYTES_MAX / (1024 * 1024));
    if (code != CURLE_OK && self->reason[0] == '\0')
        (void)snprintf(self->reason, sizeof self->reason, "%s", curl_easy_strerror(code));
    return code == CURLE_OK ? status : 0;
}

long management_get(struct management *self, struct text path, json_t **ret_json,
                    struct error *error)
{
    struct answer answer = {NULL, 0, 0};
    struct arena *arena = arena_new(0);
    struct text url = text_format(arena, "%s/api/%.*s", self->uri, TEXT_ARGS(path));
    long status = perform(self, url.bytes, &answer);
    if (status == 0)
        error_set(error, "management API: %s", self->reason);
    *ret_json =
        answer.length > 0 ? json_loadb(answer.bytes, answer.length, JSON_DECODE_ANY, NULL) : NULL;
    free(answer.bytes);
    arena_free(arena);
    return status;
}
