/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A relay between a client of the broker and the broker, which changes what goes by. It changes one
 * byte of what the broker sends, or ends the connection, where a given text goes by; and it puts
 * other bytes in the place of those that the client sends. It accepts several connections. The text
 * must lie within one segment, so the message that has it must be small and sent alone.
 */
#ifndef ALLOT_RELAY_H
#define ALLOT_RELAY_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { RELAY_CONNECTIONS = 16 };

struct relay_connection {
    int client; /* -1: closed */
    int broker;
};

struct spoiling_relay {
    const char *spoil; /* the last byte of this text becomes '?'; NULL: none */
    const char *cut;   /* the connection ends after this text; NULL: none */
    /* What the client sends, and as many bytes that the broker gets instead; length 0: none. */
    const char *sent;
    const char *instead;
    size_t sent_length;
    struct sockaddr_in broker;
    unsigned int port; /* of the relay, on 127.0.0.1 */
    pthread_t thread;
    int listener;
    struct relay_connection connections[RELAY_CONNECTIONS];
    size_t count;
    atomic_uint spoilt; /* how often one of the texts went by */
    atomic_bool ended;
};

/* Starts the relay. The caller has set `spoil`, `cut` and `broker`; all else is zero. */
void relay_start(struct spoiling_relay *relay);
/* Ends the thread and all connections. */
void relay_end(struct spoiling_relay *relay);

#endif
