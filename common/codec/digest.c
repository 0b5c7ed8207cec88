/* SPDX-License-Identifier: Apache-2.0 */
#include "common/codec/digest.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <pthread.h>

static void require(bool ok)
{
    if (ok)
        return;
    (void)fputs("allot: SHA-256 failed, probably out of memory\n", stderr);
    abort();
}

/*
 * Fetched once, never freed. OpenSSL 3 would search its providers for each digest that is started
 * with EVP_sha256().
 */
static EVP_MD *sha256;

static void fetch_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static EVP_MD_CTX *digest_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, fetch_sha256);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    require(sha256 != NULL && context != NULL && EVP_DigestInit_ex(context, sha256, NULL) == 1);
    return context;
}

static struct fingerprint digest_finish(EVP_MD_CTX *context)
{
    struct fingerprint fingerprint;
    unsigned int length = 0;
    require(EVP_DigestFinal_ex(context, fingerprint.bytes, &length) == 1 &&
            length == FINGERPRINT_BYTES);
    EVP_MD_CTX_free(context);
    return fingerprint;
}

static int digest_dumped(const char *bytes, size_t length, void *context)
{
    return EVP_DigestUpdate(context, bytes, length) == 1 ? 0 : -1;
}

struct fingerprint fingerprint_of_json(const json_t *body)
{
    EVP_MD_CTX *context = digest_start();
    require(json_dump_callback(body, digest_dumped, context, JSON_SORT_KEYS | JSON_COMPACT) == 0);
    return digest_finish(context);
}

struct fingerprint fingerprint_of_pair(struct text first, struct text second)
{
    unsigned char length[8];
    for (size_t i = 0; i < sizeof length; i++)
        length[i] = (unsigned char)(first.length >> (8 * (sizeof length - 1 - i)));
    EVP_MD_CTX *context = digest_start();
    require(EVP_DigestUpdate(context, length, sizeof length) == 1);
    require(EVP_DigestUpdate(context, first.bytes, first.length) == 1);
    require(EVP_DigestUpdate(context, second.bytes, second.length) == 1);
    return digest_finish(context);
}

struct text fingerprint_hex(struct arena *arena, const struct fingerprint *fingerprint)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = arena_alloc(arena, FINGERPRINT_HEX_DIGITS + 1);
    for (size_t i = 0; i < FINGERPRINT_BYTES; i++) {
        hex[2 * i] = digits[fingerprint->bytes[i] >> 4];
        hex[2 * i + 1] = digits[fingerprint->bytes[i] & 0xf];
    }
    hex[FINGERPRINT_HEX_DIGITS] = '\0';
    return text_view(hex, FINGERPRINT_HEX_DIGITS);
}

/* struct digest is OpenSSL's context; the type keeps OpenSSL out of the header. */
static EVP_MD_CTX *context_of(struct digest *digest)
{
    return (EVP_MD_CTX *)(void *)digest;
}

struct digest *digest_new(void)
{
    return (struct digest *)(void *)digest_start();
}

void digest_add(struct digest *digest, const void *bytes, size_t length)
{
    require(EVP_DigestUpdate(context_of(digest), bytes, length) == 1);
}

struct fingerprint digest_end(struct digest *digest)
{
    return digest_finish(context_of(digest));
}
