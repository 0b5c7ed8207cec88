/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Includes the headers of librabbitmq, in the place where the installed version has them, and hides
 * what differs between the versions 0.11 and 0.18. No other file of the adapter includes them.
 */
#ifndef ALLOT_AMQP_LIBRABBITMQ_H
#define ALLOT_AMQP_LIBRABBITMQ_H

/* From 0.12 on, the headers are in this folder; those in the old place then warn at each use. */
#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

/* How deep tables and arrays may be nested in the headers of a message. A message with more cannot
   be read: AMQP_STATUS_BAD_AMQP_DATA. Before 0.14 there is no limit but the stack
   (TRANSPORT_STACK_BYTES); the number below only stands for many. */
#if AMQP_VERSION >= AMQP_VERSION_CODE(0, 14, 0, 0)
#define LIBRABBITMQ_NESTED_MAX 100
#else
#define LIBRABBITMQ_NESTED_MAX 20000
#endif

#endif
