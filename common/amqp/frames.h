/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of frames: from what comes on the socket to whole methods and messages, a state
 * machine per channel (method, header, bodies). It copies all that it keeps, so that librabbitmq's
 * memory can be released at any time. Its own, since librabbitmq's readers of messages drop frames
 * of other channels, wait without a limit, and trust sizes.
 */
#ifndef ALLOT_AMQP_FRAMES_H
#define ALLOT_AMQP_FRAMES_H

#include <amqp.h>

#include "allot/transport.h"
#include "common/amqp/incoming.h"

enum {
    READER_CHANNELS = 5,
    MESSAGE_BYTES_MAX = 512 * 1024 * 1024 /* RabbitMQ's own upper limit; more is an attack */
};

/* A message of which the method, and perhaps the header, have come. */
struct assembly {
    enum assembly_state { AWAIT_METHOD, AWAIT_HEADER, AWAIT_BODY } state;
    struct incoming incoming;
    char *body; /* NULL: not kept */
    uint64_t body_bytes;
    uint64_t received;
};

struct frame_reader {
    struct assembly assemblies[READER_CHANNELS];
    struct incoming_queue arrived;
    size_t unreleased_bytes; /* in librabbitmq's pools, about */
    size_t read_bytes;       /* of bodies, by the present call */
};

/*
 * Reads until nothing more is there, or so many bytes of bodies have come that somebody should look
 * at them first: something is in `arrived` then, and the next call goes on. LOST where the
 * connection failed, or the broker closed it (we have agreed then), or what it sends is no AMQP.
 */
enum transport_status frame_reader_read(struct frame_reader *reader, amqp_connection_state_t state,
                                        struct error *error);
void frame_reader_clear(struct frame_reader *reader);

#endif
