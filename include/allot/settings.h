/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's settings, as loaded from YAML and ALLOT_* variables by codec/settings_file.h. Every
 * one is documented in config/allotd.example.yaml.
 */
#ifndef ALLOT_SETTINGS_H
#define ALLOT_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/text.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

/*
 * X(type, member, yaml key, default as YAML text, minimum, maximum)
 * Types: TEXT, BOOLEAN, COUNT (an integer), DURATION (milliseconds: "10s"), BYTES ("8MiB"),
 * LEVEL and FORMAT (one of the words). Bounds are in the unit of the member (0, 0 for texts: may be
 * empty; 1, 0: may not).
 */
#define SETTINGS(X)                                                                                \
    X(TEXT, amqp_uri, "amqp.uri", "", 1, 0)                                                        \
    X(TEXT, amqp_queue, "amqp.queue", "allot.commands", 1, 0)                                      \
    X(TEXT, amqp_exchange, "amqp.exchange", "allot.commands", 1, 0)                                \
    X(TEXT, amqp_dead_letter_queue, "amqp.dead_letter_queue", "allot.dead", 1, 0)                  \
    X(TEXT, amqp_dead_letter_exchange, "amqp.dead_letter_exchange", "allot.dead", 1, 0)            \
    X(COUNT, amqp_prefetch, "amqp.prefetch", "1500", 1, 2000)                                      \
    X(DURATION, amqp_heartbeat_ms, "amqp.heartbeat", "10s", 1000, 300000)                          \
    X(BOOLEAN, amqp_declare, "amqp.declare", "true", 0, 1)                                         \
    X(BYTES, amqp_max_bytes_in_flight, "amqp.max_bytes_in_flight", "64MiB", 2097152, 17179869184)  \
    X(TEXT, amqp_tls_ca_file, "amqp.tls.ca_file", "", 0, 0)                                        \
    X(TEXT, amqp_tls_certificate_file, "amqp.tls.certificate_file", "", 0, 0)                      \
    X(TEXT, amqp_tls_key_file, "amqp.tls.key_file", "", 0, 0)                                      \
    X(TEXT, mongodb_uri, "mongodb.uri", "", 1, 0)                                                  \
    X(TEXT, mongodb_database, "mongodb.database", "allot", 1, 0)                                   \
    X(DURATION, mongodb_timeout_ms, "mongodb.timeout", "10s", 100, 300000)                         \
    X(TEXT, policy_file, "policy.file", "", 1, 0)                                                  \
    X(COUNT, lanes, "lanes", "1", 1, 64)                                                           \
    X(COUNT, batch_max_commands, "batch.max_commands", "512", 1, 2000)                             \
    X(COUNT, batch_max_documents, "batch.max_documents", "4000", 1, 100000)                        \
    X(BYTES, batch_max_bytes, "batch.max_bytes", "8MiB", 1048576, 33554432)                        \
    X(DURATION, reply_confirm_timeout_ms, "reply.confirm_timeout", "10s", 100, 600000)             \
    X(COUNT, reply_max_attempts, "reply.max_attempts", "3", 1, 100)                                \
    X(COUNT, delivery_max_attempts, "delivery.max_attempts", "3", 1, 1000)                         \
    X(DURATION, idempotency_retention_ms, "idempotency.retention", "7d", 60000, 31536000000)       \
    X(BOOLEAN, security_trust_user_id, "security.trust_user_id", "true", 0, 1)                     \
    X(TEXT, security_default_principal, "security.default_principal", "", 0, 0)                    \
    X(DURATION, shutdown_timeout_ms, "shutdown.timeout", "30s", 100, 3600000)                      \
    X(DURATION, worker_watchdog_timeout_ms, "worker.watchdog_timeout", "2m", 1000, 3600000)        \
    X(TEXT, worker_name, "worker.name", "", 0, 0)                                                  \
    X(LEVEL, log_level, "log.level", "info", 0, 0)                                                 \
    X(FORMAT, log_format, "log.format", "auto", 0, 0)

#define SETTING_TYPE_TEXT struct text
#define SETTING_TYPE_BOOLEAN bool
#define SETTING_TYPE_COUNT int64_t
#define SETTING_TYPE_DURATION int64_t
#define SETTING_TYPE_BYTES int64_t
#define SETTING_TYPE_LEVEL enum log_level
#define SETTING_TYPE_FORMAT enum log_format

struct settings {
#define X(type, member, key, value, minimum, maximum) SETTING_TYPE_##type member;
    SETTINGS(X)
#undef X
};

#endif
