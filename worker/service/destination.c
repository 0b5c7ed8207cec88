/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/destination.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/memory.h"

/* FNV-1a */
static uint64_t hash_text(uint64_t hash, struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        hash = (hash ^ (unsigned char)text.bytes[i]) * 0x100000001b3U;
    return (hash ^ text.length) * 0x100000001b3U;
}

static uint64_t owner_of(struct text principal)
{
    return hash_text(0xcbf29ce484222325U, principal);
}

static struct destination **bucket_of(struct destinations *destinations, uint64_t owner,
                                      struct text address)
{
    return &destinations->buckets[hash_text(owner, address) % DESTINATION_BUCKETS];
}

static struct text text_or_empty(struct text text)
{
    return text_present(text) ? text : text_of("");
}

/* The texts lie behind the struct. */
static struct destination *new_destination(struct text principal, struct text address)
{
    struct destination *destination =
        memory_array(sizeof *destination + principal.length + address.length, 1);
    char *texts = (char *)(destination + 1);
    memcpy(texts, principal.bytes, principal.length);
    memcpy(texts + principal.length, address.bytes, address.length);
    destination->principal = text_view(texts, principal.length);
    destination->address = text_view(texts + principal.length, address.length);
    return destination;
}

struct destination *destinations_find(struct destinations *destinations, struct text principal,
                                      struct text reply_to)
{
    bool direct = text_starts_with(reply_to, DIRECT_REPLY_PREFIX);
    struct text address = direct ? text_of(DIRECT_REPLY_PREFIX) : reply_to;
    principal = text_or_empty(principal);
    uint64_t owner = owner_of(principal);
    struct destination **bucket = bucket_of(destinations, owner, address);
    for (struct destination *at = *bucket; at != NULL; at = at->next) {
        if (text_equal(at->principal, principal) && text_equal(at->address, address))
            return at;
    }
    struct destination *destination = new_destination(principal, address);
    destination->owner = owner;
    destination->next = *bucket;
    *bucket = destination;
    destinations->count++;
    return destination;
}

static void free_destination(struct destination *destination)
{
    job_queue_free_all(&destination->waiting);
    free(destination);
}

void destinations_release(struct destinations *destinations, struct destination *destination)
{
    if (destination->jobs > 0 || destination->isolated || destination->logged)
        return;
    struct destination **at = bucket_of(destinations, destination->owner, destination->address);
    while (*at != destination)
        at = &(*at)->next;
    *at = destination->next;
    destinations->count--;
    free_destination(destination);
}

void destinations_clear(struct destinations *destinations)
{
    for (size_t i = 0; i < DESTINATION_BUCKETS; i++) {
        while (destinations->buckets[i] != NULL) {
            struct destination *destination = destinations->buckets[i];
            destinations->buckets[i] = destination->next;
            free_destination(destination);
        }
    }
    *destinations = (struct destinations){0};
}
