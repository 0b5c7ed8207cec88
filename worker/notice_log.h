/* SPDX-License-Identifier: Apache-2.0 */
/* Logs what a transport tells its program beside its events. */
#ifndef ALLOT_NOTICE_LOG_H
#define ALLOT_NOTICE_LOG_H

#include "common/amqp/notice.h"

/* For struct amqp_observer; `context` is not used. */
void notice_log(void *context, enum amqp_notice notice, const char *text);

#endif
