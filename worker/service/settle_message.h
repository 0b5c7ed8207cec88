/* SPDX-License-Identifier: Apache-2.0 */
/* Publishes the message of a job's settle stage: its reply or its dead letter. */
#ifndef ALLOT_SERVICE_SETTLE_MESSAGE_H
#define ALLOT_SERVICE_SETTLE_MESSAGE_H

#include "worker/service/settler.h"

/* Returns about how many bytes the message has on the wire. */
size_t settle_message_bytes(const struct job *job);
/* Publishes the message on job.route, under job.sequence. */
enum transport_status settle_message_publish(const struct settler_options *options, struct job *job,
                                             struct error *error);

#endif
