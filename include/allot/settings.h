/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of all settings. Everything about them is made from it: the struct at the end of this
 * file, the reader of files and variables (common/codec/settings_file.h), the example file and the
 * manual page (common/codec/settings_document.h). After a change run script/generate.
 */
#ifndef ALLOT_SETTINGS_H
#define ALLOT_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "allot/limits.h"
#include "common/base/text.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

/*
 * X(type, member, yaml key, default as YAML text, minimum, maximum, help)
 *
 *   type     TEXT, BOOLEAN, COUNT (an integer), DURATION (milliseconds: "10s"), BYTES ("8MiB"),
 *            LEVEL and FORMAT (one of the words)
 *   bounds   in the unit of the member; of a TEXT: 0, 0 if it may be empty, 1, 0 if it may not.
 *            A TEXT that may not be empty, and whose default is empty, is required: it needs a row
 *            in SETTING_EXAMPLES.
 *   help     what the setting does and when to change it, in whole sentences. Plain text; "\n"
 *            begins a new line. The documents add type, bounds and default.
 *
 * The documents have the settings in the order of this list. The settings of one section stand
 * together, and each section has a row in SETTING_SECTIONS.
 */
#define SETTINGS(X)                                                                                \
    X(TEXT, amqp_uri, "amqp.uri", "", 1, 0,                                                        \
      "URI of the broker: amqp://user:password@host:5672/vhost, or amqps:// for TLS. For a "       \
      "cluster give the URIs of all nodes, separated by commas; they are tried one after "         \
      "another. If one of them is amqps://, all have to be, so that no connection falls back to "  \
      "plain text. In user, password and vhost, percent-encode the characters that have a "        \
      "meaning in a URI.\n"                                                                        \
      "It holds a password: better give it in ALLOT_AMQP_URI or ALLOT_AMQP_URI_FILE. The file of " \
      "the latter is read again at each connect.")                                                 \
    X(TEXT, amqp_queue, "amqp.queue", "allot.commands", 1, 0,                                      \
      "Queue that commands are consumed from. Change the names of queues and exchanges where "     \
      "several independent installations share one vhost.")                                        \
    X(TEXT, amqp_exchange, "amqp.exchange", "allot.commands", 1, 0,                                \
      "Exchange that producers publish commands to.")                                              \
    X(TEXT, amqp_dead_letter_queue, "amqp.dead_letter_queue", "allot.dead", 1, 0,                  \
      "Queue of the dead letters: the commands whose failure cannot be reported by a reply "       \
      "(section 5 of docs/protocol.md).")                                                          \
    X(TEXT, amqp_dead_letter_exchange, "amqp.dead_letter_exchange", "allot.dead", 1, 0,            \
      "Exchange that dead letters are published to.")                                              \
    X(COUNT, amqp_prefetch, "amqp.prefetch", "1500", 1, PREFETCH_MAX,                              \
      "Number of commands that the broker delivers before the first of them is acknowledged. "     \
      "Set at least twice batch.max_commands, so that the next batch has arrived when one is "     \
      "done. Lower it where many workers share a short queue, so that one worker does not take "   \
      "all commands.")                                                                             \
    X(DURATION, amqp_heartbeat_ms, "amqp.heartbeat", "10s", 1000, 300000,                          \
      "Interval of the AMQP heartbeats. A dead connection is noticed after about two intervals "   \
      "without a sign of life. Raise it for links that stall. Lower it to redeliver the "          \
      "commands of a lost worker sooner.")                                                         \
    X(BOOLEAN, amqp_declare, "amqp.declare", "true", 0, 1,                                         \
      "true: create missing exchanges and queues, and check the others.\n"                         \
      "false: only check them, for brokers where the worker may not configure anything; then "     \
      "create them with \"allotctl topology declare\".\n"                                          \
      "Either way, existing objects are never changed or deleted. An object with other "           \
      "arguments is logged as an error that names the difference, and the worker consumes "        \
      "nothing until an operator has fixed it. Two differences stop no worker, and are only "      \
      "logged: another x-delivery-limit of the dead-letter queue, and any difference of the desk " \
      "queue.")                                                                                    \
    X(BYTES, amqp_max_bytes_in_flight, "amqp.max_bytes_in_flight", "64MiB", 2097152, 17179869184,  \
      "Size of all command bodies that the worker holds before it stops consuming. This bounds "   \
      "the memory when many large commands are waiting; one command has at most 1MiB.")            \
    X(TEXT, amqp_tls_ca_file, "amqp.tls.ca_file", "", 0, 0,                                        \
      "PEM file with the certificate authorities that may have signed the broker's certificate. "  \
      "Empty: the system's authorities.")                                                          \
    X(TEXT, amqp_tls_certificate_file, "amqp.tls.certificate_file", "", 0, 0,                      \
      "PEM file with the worker's own certificate, for brokers that ask for one. Needs "           \
      "amqp.tls.key_file.")                                                                        \
    X(TEXT, amqp_tls_key_file, "amqp.tls.key_file", "", 0, 0,                                      \
      "PEM file with the private key of amqp.tls.certificate_file.")                               \
    X(TEXT, mongodb_uri, "mongodb.uri", "", 1, 0,                                                  \
      "URI of the replica set. The worker sets the write concern itself (majority, journaled), "   \
      "whatever the URI says.\n"                                                                   \
      "It holds a password: better give it in ALLOT_MONGODB_URI or ALLOT_MONGODB_URI_FILE.")       \
    X(TEXT, mongodb_database, "mongodb.database", "allot", 1, 0,                                   \
      "Database that holds all collections. Workers with the same database share one set of "      \
      "allocations.")                                                                              \
    X(DURATION, mongodb_timeout_ms, "mongodb.timeout", "10s", 100, 300000,                         \
      "Time limit of one call to the database; after it the call has failed, and is retried. "     \
      "Raise it only for a database that is known to be slow: a stuck server delays its batch "    \
      "for this long.")                                                                            \
    X(TEXT, policy_file, "policy.file", "", 1, 0,                                                  \
      "Policy file: which principal may run which commands (see policy.example.yaml). Unlike "     \
      "this file, it is read again on SIGHUP.")                                                    \
    X(COUNT, lanes, "lanes", "1", 1, 64,                                                           \
      "Number of lanes. Each lane processes one batch at a time, with its own broker connection "  \
      "and database session. One lane is usually fastest, because a larger batch costs hardly "    \
      "more than a small one. More lanes help where commands are large or the database is far "    \
      "away, as long as the lanes work on different providers; otherwise they cause write "        \
      "conflicts.")                                                                                \
    X(COUNT, batch_max_commands, "batch.max_commands", "512", 1, 2000,                             \
      "Maximum number of commands in one batch. Lower it for shorter transactions, and for "       \
      "fewer commands that are planned again after a write conflict. Raise it for more commands "  \
      "per second.")                                                                               \
    X(COUNT, batch_max_documents, "batch.max_documents", "4000", 1, 100000,                        \
      "Maximum number of documents (providers, consumers, outcomes) that one batch reads or "      \
      "writes. A document that several commands name counts for each of them. A single command "   \
      "that needs more gets its own batch. Lower it where transactions exceed the server's "       \
      "transactionLifetimeLimitSeconds.")                                                          \
    X(BYTES, batch_max_bytes, "batch.max_bytes", "8MiB", 1048576, 33554432,                        \
      "Maximum size of all command bodies in one batch.")                                          \
    X(COUNT, reads_concurrency, "reads.concurrency", "4", 1, 64,                                   \
      "Number of batches of reads that are executed at the same time, beside the writes, each "    \
      "with a database session of its own; per lane. One principal has at most half of them at a " \
      "time. Lower it where reads slow the database down for writes.")                             \
    X(DURATION, reads_timeout_ms, "reads.timeout", "5s", 100, 300000,                              \
      "Time limit of one read in the database. A read that takes longer three times, alone and "   \
      "on a database that works, is answered with limit_exceeded. It is at most three quarters "   \
      "of mongodb.timeout, whatever is set here.")                                                 \
    X(DURATION, reply_confirm_timeout_ms, "reply.confirm_timeout", "10s", 100, 600000,             \
      "Time that the broker has to confirm a reply or a dead letter before it is published "       \
      "again.")                                                                                    \
    X(COUNT, reply_max_attempts, "reply.max_attempts", "3", 1, 100,                                \
      "Number of attempts to publish a reply that the broker nacks or does not confirm. After "    \
      "the last one the reply counts as unroutable. Raise it to give a producer more time to "     \
      "empty a full queue; its commands stay in flight that much longer.")                         \
    X(COUNT, delivery_max_attempts, "delivery.max_attempts", "3", 1, 1000,                         \
      "How many workers may crash while they process one command in a batch of its own. Then the " \
      "command is dead-lettered as attempts_exhausted. Database outages, lost connections and "    \
      "crashes in larger batches do not count. Set it alike on all workers.")                      \
    X(DURATION, idempotency_retention_ms, "idempotency.retention", "7d", 60000, 31536000000,       \
      "How long the outcome of a command is kept. For this time, the same message_id gets the "    \
      "same reply and has no second effect. It must be longer than the time in which any "         \
      "producer, or a replayed dead letter, may repeat a command. The database grows with it. A "  \
      "new value applies to outcomes that are recorded from then on.")                             \
    X(DURATION, letters_retention_ms, "letters.retention", "14d", 60000, 31536000000,              \
      "How long a letter is kept after its dead letter was published. A letter that is still to "  \
      "be published does not expire, nor does one whose dead letter the broker refused. Raise it " \
      "to give people more time to look at dead-lettered commands; the database grows with it. A " \
      "new value applies to letters that are published from then on.")                             \
    X(BYTES, letters_max_bytes, "letters.max_bytes", "1GiB", 1048576, 1099511627776,               \
      "Size of all letters together; one principal may hold a quarter of it. It is measured once " \
      "a minute. Above either limit, published letters are deleted, oldest first: first letters "  \
      "that are not open, then the bodies of open letters, then open letters. Above its quarter, " \
      "a principal loses only its own. A letter is never deleted while its dead letter is still "  \
      "to be published, nor if the broker refused the dead letter. If such letters of a "          \
      "principal fill its quarter, its next dead-lettered commands are acknowledged only after "   \
      "their dead letter is confirmed. A letter counts for its headers, its body, its texts and "  \
      "2KiB more. Set it alike on all workers.")                                                   \
    X(BOOLEAN, letters_publish, "letters.publish", "true", 0, 1,                                   \
      "Whether a dead-lettered command is also published to amqp.dead_letter_exchange. Its "       \
      "letter "                                                                                    \
      "in the database is written in any case. Set it to false where people watch the letters "    \
      "only. Set it alike on all workers.")                                                        \
    X(BOOLEAN, letters_keep_body, "letters.keep_body", "true", 0, 1,                               \
      "Whether a letter holds the body of the command. false: only its size and its SHA-256, for " \
      "commands with private data. The dead letter has the body if the worker publishes it at "    \
      "once; one that a sweep publishes later has none. Set it alike on all workers.")             \
    X(TEXT, letters_redact_headers, "letters.redact_headers", "", 0, 0,                            \
      "Names of message headers whose values are not stored in letters, separated by commas: for " \
      "headers with private data. The letter keeps the name, with an empty value. A dead letter "  \
      "that a sweep publishes has them empty as well. Set it alike on all workers.")               \
    X(TEXT, letters_notify_command, "letters.notify_command", "", 0, 0,                            \
      "Absolute path of a program that is run when the first letter of a group arrives, and when " \
      "letters exceed letters.notify_rate. It gets the notification as JSON on its standard "      \
      "input, and no arguments. If it does not exit with status 0 it is run again, for about an "  \
      "hour. Empty: none is run.")                                                                 \
    X(TEXT, letters_notify_url, "letters.notify_url", "", 0, 0,                                    \
      "URL (http:// or https://) that the same JSON is posted to, in place of a program. An "      \
      "answer with another status than 2xx counts as a failure. Redirects are not followed, and "  \
      "no proxy is used. Empty: nothing is posted.\n"                                              \
      "It may hold a secret: then better give it in ALLOT_LETTERS_NOTIFY_URL or "                  \
      "ALLOT_LETTERS_NOTIFY_URL_FILE.")                                                            \
    X(COUNT, letters_notify_rate, "letters.notify_rate", "100", 0, 1000000,                        \
      "Number of commands that may be dead-lettered in one minute, by all workers together. "      \
      "Above it, there is one notification; the next one follows when the rate was not above it "  \
      "for a minute, or after 10 minutes. 0: never. Set it alike on all workers.")                 \
    X(DURATION, letters_notify_interval_ms, "letters.notify_interval", "5s", 100, 60000,           \
      "Time between two looks for new groups of letters. One of the workers looks; set it alike "  \
      "on all workers.")                                                                           \
    X(DURATION, letters_notify_timeout_ms, "letters.notify_timeout", "10s", 100, 60000,            \
      "Time limit of one run of letters.notify_command, or of one request to "                     \
      "letters.notify_url.")                                                                       \
    X(BOOLEAN, security_trust_user_id, "security.trust_user_id", "true", 0, 1,                     \
      "true: the principal of a command is its user_id, which the broker has verified.\n"          \
      "false: every command counts as sent by security.default_principal, no matter who sent it. " \
      "Only "                                                                                      \
      "for a closed development broker.")                                                          \
    X(TEXT, security_default_principal, "security.default_principal", "", 0, 0,                    \
      "Principal of all commands where security.trust_user_id is false: a name from the policy. "  \
      "Required then, not used otherwise.")                                                        \
    X(DURATION, shutdown_timeout_ms, "shutdown.timeout", "30s", 100, 3600000,                      \
      "Time that the worker has, after SIGTERM, to answer the commands in flight. Those without "  \
      "an answer go back to the queue. Keep it below the time after which the service manager "    \
      "kills the process.")                                                                        \
    X(DURATION, worker_watchdog_timeout_ms, "worker.watchdog_timeout", "2m", 1000, 3600000,        \
      "Watchdog. If a lane has commands in flight, knows of no outage and makes no progress for "  \
      "this long, it logs the reason and reconnects; its commands are redelivered. The second "    \
      "time in a row the process aborts, so that its supervisor restarts it. It must exceed "      \
      "mongodb.timeout several times.")                                                            \
    X(BYTES, worker_memory_budget, "worker.memory_budget", "192MiB", 67108864, 1099511627776,      \
      "Memory for commands, of all lanes. Half of it is for what is in flight: bodies, decoded "   \
      "commands, answers and letters; above three quarters of that half the worker takes no more " \
      "commands until half of it is free. The other half is for what reads load; without room, "   \
      "reads wait. The process needs some 64 MiB beside it, and more for a single command with "   \
      "very large documents.")                                                                     \
    X(TEXT, worker_name, "worker.name", "", 0, 0,                                                  \
      "Name of the worker in logs, dead letters and the broker's list of connections. Empty: "     \
      "made from the host name and the process id. Set it where those say nothing, as in "         \
      "containers.")                                                                               \
    X(LEVEL, log_level, "log.level", "info", 0, 0,                                                 \
      "Least urgent level that is logged. debug writes several lines per command.")                \
    X(FORMAT, log_format, "log.format", "auto", 0, 0,                                              \
      "json: one object per line. text: for people. auto: text if stderr is a terminal, else "     \
      "json.")

/* X(section, help): the mappings of the YAML file, in the order of their settings. */
#define SETTING_SECTIONS(X)                                                                        \
    X("amqp", "The broker, RabbitMQ.")                                                             \
    X("amqp.tls", "TLS, for amqps:// URIs. An empty setting is not used.")                         \
    X("mongodb", "The database, a MongoDB replica set.")                                           \
    X("policy", "Access control.")                                                                 \
    X("batch", "A batch holds the commands that are waiting when the batch before it is done, up " \
               "to these limits. It goes to the database as one transaction.")                     \
    X("reads", "Commands that only read.")                                                         \
    X("reply", "Replies to producers.")                                                            \
    X("delivery", "Commands that crash their worker.")                                             \
    X("idempotency", "Recorded outcomes.")                                                         \
    X("letters", "Letters, the stored records of dead-lettered commands.")                         \
    X("security", "How the principal of a command is found.")                                      \
    X("shutdown", "Graceful shutdown.")                                                            \
    X("worker", "This worker process.")                                                            \
    X("log", "The log, which goes to stderr.")

/* X(yaml key, value): what the documents show for a required setting, since it has no default. */
#define SETTING_EXAMPLES(X)                                                                        \
    X("amqp.uri", "amqp://allotd:secret@rabbit-1:5672/,amqp://allotd:secret@rabbit-2:5672/")       \
    X("mongodb.uri", "mongodb://allotd:secret@mongo-1,mongo-2,mongo-3/?replicaSet=rs0")            \
    X("policy.file", "/etc/allot/policy.yaml")

/* X(old key, new key): renamed settings. The old name is an error that names the new one. */
#define SETTINGS_RENAMED(X)                                                                        \
    X("amqp.dead_queue", "amqp.dead_letter_queue")                                                 \
    X("amqp.dead_exchange", "amqp.dead_letter_exchange")                                           \
    X("reply.attempts", "reply.max_attempts")                                                      \
    X("worker.stall_timeout", "worker.watchdog_timeout")

#define SETTING_TYPE_TEXT struct text
#define SETTING_TYPE_BOOLEAN bool
#define SETTING_TYPE_COUNT int64_t
#define SETTING_TYPE_DURATION int64_t
#define SETTING_TYPE_BYTES int64_t
#define SETTING_TYPE_LEVEL enum log_level
#define SETTING_TYPE_FORMAT enum log_format

struct settings {
#define X(type, member, key, value, minimum, maximum, help) SETTING_TYPE_##type member;
    SETTINGS(X)
#undef X
};

#endif
