/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame reader of a connection: reads what has arrived on the socket and assembles it into
 * whole methods and messages. It copies all that it keeps, so that librabbitmq's memory can be
 * released at any time.
 */
#ifndef ALLOT_AMQP_FRAMES_H
#define ALLOT_AMQP_FRAMES_H

#include "allot/transport.h"
#include "common/amqp/incoming.h"
#include "common/amqp/librabbitmq.h"
#include "common/codec/body_reader.h"

enum { READER_CHANNELS = 5 };

/* One channel: a message whose method, and perhaps its header, have arrived. */
struct assembly {
    enum assembly_state { AWAIT_METHOD, AWAIT_HEADER, AWAIT_BODY } state;
    struct incoming incoming;
    bool keeps_body;
    struct body_reader body; /* in the arena of `incoming`, if the body is kept */
    uint64_t missing;        /* bytes of the body that have not arrived */
};

/* The message whose header or body could not be read, named by its method (deliver or get-ok). */
struct unreadable {
    uint16_t channel;
    uint64_t tag; /* 0: no message is named */
    uint32_t method;
    uint32_t remaining; /* get-ok */
};

/* A reader whose members are all zero is ready for a new connection. */
struct frame_reader {
    struct assembly assemblies[READER_CHANNELS];
    struct incoming_queue arrived;
    struct unreadable unreadable;
    size_t
        body_bytes_max; /* larger bodies are cut (common/codec/body_reader.h); 0: BODY_BYTES_MAX */
    size_t unreleased_bytes; /* estimated, in librabbitmq's pools */
    size_t read_bytes;       /* of bodies, in the current call */
    uint16_t close_code;     /* of the broker's connection.close; 0: none has arrived */
};

/*
 * Adds the methods that have arrived to `arrived`, and does not wait. Stops early after some MiB of
 * bodies, so that the caller can handle them first; `arrived` is not empty then. Returns LOST if
 * the connection failed, the broker closed it, or the broker broke the protocol. If the content of
 * a message was the reason, `unreadable` names that message; nothing may be read any more.
 */
enum transport_status frame_reader_read(struct frame_reader *reader, amqp_connection_state_t state,
                                        struct error *error);
/* Frees what the reader owns. All members are zero then. */
void frame_reader_clear(struct frame_reader *reader);

#endif
