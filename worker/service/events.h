/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every event that allotd logs, declared once. The word in the log, its level and the table of
 * docs/operations.md come from this list.
 *
 * Event names are a contract with the operator's log rules: a new event gets a new name, and a name
 * never changes its meaning.
 */
#ifndef ALLOT_SERVICE_EVENTS_H
#define ALLOT_SERVICE_EVENTS_H

#include "common/host/log.h"

/*
 * X(id, name, level, what happened and what it means, what to do)
 *
 * `level` is one of ERROR, WARNING, INFO, DEBUG: the level of event_log. Nine events vary and are
 * logged with event_log_at; for them the list has the level of the line that matters most:
 *   storage.unavailable                             WARNING before a call has failed
 *   broker.connect_failed                           DEBUG except once a minute of an outage
 *   batch.failed                                    DEBUG for a conflict and for an outage
 *   command.failed                                  WARNING where the command is dead-lettered
 *   reply.unroutable                                DEBUG for what `not_logged` counts
 *   storage.library                                 DEBUG for what the driver does not warn of
 *   letter.refused                                  DEBUG for repeats within 10 s
 *   desk.look_failed                                DEBUG from the second failure in a row on
 *   letters.notify_delayed                          the same
 */
#define EVENTS(X)                                                                                  \
    X(WORKER_STARTED, "worker.started", INFO,                                                      \
      "The configuration is loaded; the worker connects to broker and database.", "Nothing.")      \
    X(WORKER_START_FAILED, "worker.start_failed", ERROR,                                           \
      "The worker cannot create its database client or a lane. It exits with status 1.",           \
      "Correct what `error` names.")                                                               \
    X(WORKER_STOPPING, "worker.stopping", INFO,                                                    \
      "SIGTERM or SIGINT arrived. The worker takes no new command and finishes those in flight.",  \
      "Wait up to `timeout_ms`.")                                                                  \
    X(WORKER_STOPPED, "worker.stopped", INFO,                                                      \
      "The worker ends, in time: at the end of `shutdown.timeout` also if a call to the broker "   \
      "or the database has not returned.",                                                         \
      "Nothing.")                                                                                  \
    X(WORKER_REPORT_FAILED, "worker.report_failed", WARNING,                                       \
      "The worker cannot write its document in the collection `workers`. Commands are not "        \
      "affected. If it is the last report, the attempt records of this worker, if it left any, "   \
      "count as crashes.",                                                                         \
      "Look for an outage of the database, or for a missing right on the collection.")             \
    X(WORKER_FORCED_EXIT, "worker.forced_exit", WARNING,                                           \
      "A second signal arrived; the worker exits at once with status 3. Unacknowledged commands "  \
      "are redelivered.",                                                                          \
      "Nothing.")                                                                                  \
    X(POLICY_RELOADED, "policy.reloaded", INFO,                                                    \
      "SIGHUP arrived; the next batch uses the new policy.", "Nothing.")                           \
    X(POLICY_RELOAD_FAILED, "policy.reload_failed", ERROR,                                         \
      "SIGHUP arrived, but the policy file is unreadable or invalid. The old policy stays "        \
      "active.",                                                                                   \
      "Correct the file as `error` says, then send SIGHUP again.")                                 \
    X(CONFIG_PLAIN_TEXT, "config.plain_text", WARNING,                                             \
      "Connections to `host`, which is not this machine, have no TLS: those who see the network "  \
      "can read and change passwords and commands. At the start, and with `--check`.",             \
      "Use `amqps://`, or `tls=true` in the URI of the database, unless the network is yours "     \
      "alone.")                                                                                    \
    X(CONFIG_SECRET_READABLE, "config.secret_readable", WARNING,                                   \
      "Every user of this machine can read `file`, which has a password or a private key. At the " \
      "start, and with `--check`.",                                                                \
      "`chmod o= FILE`, and change the secret if others may have read it.")                        \
    X(CONFIG_FILE_WRITABLE, "config.file_writable", WARNING,                                       \
      "Every user of this machine can write `file`, or replace files if it is a folder. "          \
      "`setting` "                                                                                 \
      "says which file of the configuration they can change. At the start, and with `--check`.",   \
      "`chmod o-w FILE`, and look whether somebody has changed the file.")                         \
    X(LETTER_NOT_MARKED, "letter.not_marked", WARNING,                                             \
      "Dead letters were published, or refused, but that cannot be noted in the database. They "   \
      "are published again later.",                                                                \
      "If it repeats, look at the database as `error` says.")                                      \
    X(LETTER_SWEEP_FAILED, "letter.sweep_failed", WARNING,                                         \
      "The worker cannot look for letters that nobody has published. It tries again 10 s later.",  \
      "If it repeats, look at the database as `error` says.")                                      \
    X(DESK_LOOK_FAILED, "desk.look_failed", WARNING,                                               \
      "The worker cannot look for the letters of messages of the desk queue. It keeps the "        \
      "messages and tries again; repeats are logged at debug.",                                    \
      "If it repeats, look at the database as `error` says.")                                      \
    X(LETTER_UNPUBLISHABLE, "letter.unpublishable", ERROR,                                         \
      "The broker closes the connection over one dead letter. It is not published any more; its "  \
      "letter stays open. If its letter is not stored, the command stays unacknowledged, and is "  \
      "tried again after 10 minutes.",                                                             \
      "Look at the letter (`allotctl letter show`), or for `reason` in the log of the broker.")    \
    X(LETTER_REFUSED, "letter.refused", ERROR,                                                     \
      "The database permanently rejects a letter. The dead letter of a command is then published " \
      "without a stored letter, and the command is acknowledged after the confirm. A message of "  \
      "the desk queue stays in the dead-letter queue only. At error once in 10 s; repeats are "    \
      "logged at debug.",                                                                          \
      "See `error`; look at the message in `allot.dead`, and report a bug.")                       \
    X(LETTERS_TRIMMED, "letters.trimmed", WARNING,                                                 \
      "Letters held more than `letters.max_bytes`, or those of one principal more than a quarter " \
      "of it. `letters` old letters and the bodies of `bodies` others are deleted; all of them "   \
      "were published. At most once a minute.",                                                    \
      "Find out who sends so many commands that fail (`allotctl letter list`), or raise "          \
      "`letters.max_bytes`.")                                                                      \
    X(LETTERS_TRIM_FAILED, "letters.trim_failed", WARNING,                                         \
      "The worker cannot measure the letters, or delete old ones. It tries again a minute later.", \
      "If it repeats, look at the database as `error` says.")                                      \
    X(LETTERS_OVER_BOUND, "letters.over_bound", WARNING,                                           \
      "Letters hold more than `letters.max_bytes`, or those of `principal` more than a quarter "   \
      "of it, and none of them may be deleted, because their dead letters are not published: "     \
      "they wait, or the broker refused them. The dead letters of a principal that fills its "     \
      "quarter are published without a stored letter, few at a time; others do not notice. Once "  \
      "a minute while it goes on.",                                                                \
      "Find out why dead letters are not published (`dead_letter.publish_failed`, "                \
      "`letter.unpublishable`). If the broker refused them, raise `letters.max_bytes`.")           \
    X(LETTERS_NOTIFIED, "letters.notified", INFO,                                                  \
      "`letters.notify_command` or `letters.notify_url` took a notification: of a new group "      \
      "(`kind` `new_group`), or of more letters than `letters.notify_rate` in a minute (`rate`).", \
      "Look at the letters (`allotctl letter list`).")                                             \
    X(LETTERS_NOTIFY_FAILED, "letters.notify_failed", WARNING,                                     \
      "A call of `letters.notify_command` or `letters.notify_url` failed. It is repeated after "   \
      "`retry_in_ms`, by any worker, about an hour long. Commands are not affected.",              \
      "Look at the program or the server as `error` says.")                                        \
    X(LETTERS_NOTIFY_GIVEN_UP, "letters.notify_given_up", ERROR,                                   \
      "A notification has failed 64 times, and is not sent any more. What it was about stays in "  \
      "the database.",                                                                             \
      "Look at `letter` with `allotctl letter show`; correct the program or the URL.")             \
    X(LETTERS_NOTIFY_DELAYED, "letters.notify_delayed", WARNING,                                   \
      "The worker cannot look for new groups of letters in the database, or note there what was "  \
      "sent. It tries again; repeats are logged at debug. If it cannot note it for minutes, the "  \
      "same notification is sent again.",                                                          \
      "If it repeats, look at the database as `error` says.")                                      \
    X(BROKER_CONNECTED, "broker.connected", INFO,                                                  \
      "The connection to the broker is open, the topology is checked, and the worker can "         \
      "consume. There was no connection for `outage_ms`, or since the start.",                     \
      "Nothing.")                                                                                  \
    X(BROKER_CONNECT_FAILED, "broker.connect_failed", ERROR,                                       \
      "There has been no connection to the broker for `outage_ms`: it is unreachable, rejects "    \
      "the login or the subscription, or lacks an object. The worker retries after "               \
      "`retry_in_ms`. Logged within 2 s of the start of an outage (without `error`, if no "        \
      "attempt has ended by then), and once a minute; other attempts at debug. "                   \
      "`broker.connected` tells the end.",                                                         \
      "Correct what `error` names: address, credentials, permissions, or an object of the "        \
      "topology (`allotctl topology check`).")                                                     \
    X(BROKER_DISCONNECTED, "broker.disconnected", WARNING,                                         \
      "The connection to the broker is lost. The broker redelivers all unacknowledged commands.",  \
      "If it repeats, look for the cause in the broker's log and in the network.")                 \
    X(BROKER_URI_FILE_FAILED, "broker.uri_file_failed", WARNING,                                   \
      "The file of `ALLOT_AMQP_URI_FILE` cannot be read, or has no valid URI. The worker "         \
      "connects with the last good URI. Logged once for each reason.",                             \
      "Correct the file as `error` says; it is read again at the next connect.")                   \
    X(BROKER_URI_FILE_READ, "broker.uri_file_read", INFO,                                          \
      "The file of `ALLOT_AMQP_URI_FILE` has another URI, or can be read again. The worker "       \
      "connects with it.",                                                                         \
      "Nothing.")                                                                                  \
    X(TOPOLOGY_INCOMPLETE, "topology.incomplete", ERROR,                                           \
      "Exchanges or queues of the worker are missing or different, and the worker may not or "     \
      "cannot declare them. Logged once for each change.",                                         \
      "Declare what `error` names (`allotctl topology declare`), and find out who deleted it.")    \
    X(TOPOLOGY_DECLARED, "topology.declared", WARNING,                                             \
      "Exchanges or queues of the worker were missing while it ran. They are declared again, "     \
      "empty.",                                                                                    \
      "Find out who deleted `objects`; messages in a deleted queue are lost.")                     \
    X(TOPOLOGY_COMPLETE, "topology.complete", INFO,                                                \
      "After `topology.incomplete`: all exchanges and queues are as they should be again.",        \
      "Nothing.")                                                                                  \
    X(TOPOLOGY_TOLERATED, "topology.tolerated", WARNING,                                           \
      "The dead-letter queue has another `x-delivery-limit` than the worker declares, as one of "  \
      "an older version has. The worker uses it as it is. Logged at the start.",                   \
      "As `difference` says: set a policy, or delete the queue when it is empty.")                 \
    X(DESK_UNAVAILABLE, "desk.unavailable", WARNING,                                               \
      "The worker cannot consume from the desk queue. It serves commands all the same, but what "  \
      "the broker dead-letters gets no letter. It tries again once a minute; logged once.",        \
      "Correct what `error` names: declare the queue (`allotctl topology declare`), or give the "  \
      "worker the permission to read it.")                                                         \
    X(DESK_AVAILABLE, "desk.available", INFO,                                                      \
      "After `desk.unavailable`: the worker consumes from the desk queue.", "Nothing.")            \
    X(BROKER_BLOCKED, "broker.blocked", WARNING,                                                   \
      "The broker blocks publishing because of a memory or disk alarm. Replies wait.",             \
      "Clear the broker's alarm (`rabbitmq-diagnostics alarms`).")                                 \
    X(BROKER_UNBLOCKED, "broker.unblocked", INFO,                                                  \
      "The broker's alarm is over; the waiting replies are published.", "Nothing.")                \
    X(ROUTE_CLOSED, "route.closed", WARNING,                                                       \
      "A connection for publishing ended, or its channel. No delivery is lost. Its unconfirmed "   \
      "messages are published again on a new one; `cause` `message`: one destination at a time. "  \
      "At most once in 10 s for each route; `not_logged` counts the others.",                      \
      "Correct what `reason` names, often a missing exchange or permission.")                      \
    X(ROUTE_RECOVERED, "route.recovered", INFO,                                                    \
      "The first message after `replies.refused` or `dead_letter.publish_failed` is confirmed.",   \
      "Nothing.")                                                                                  \
    X(REPLIES_REFUSED, "replies.refused", ERROR,                                                   \
      "The broker refuses all replies, because the worker's user may not write to the default "    \
      "exchange. The commands are kept, and one reply is tried at a time. Once a minute while it " \
      "goes on.",                                                                                  \
      "Give the permission that `reason` names; the worker continues by itself.")                  \
    X(CONSUMER_CANCELLED, "consumer.cancelled", WARNING,                                           \
      "The broker cancelled the worker's subscription, for example because the queue was "         \
      "deleted. "                                                                                  \
      "The worker reconnects.",                                                                    \
      "Check that the command queue exists (`allotctl topology check`).")                          \
    X(STORAGE_READY, "storage.ready", INFO,                                                        \
      "The database has all collections, validators and indexes; the worker can begin.",           \
      "Nothing.")                                                                                  \
    X(STORAGE_PREPARE_FAILED, "storage.prepare_failed", DEBUG,                                     \
      "At the start, the database is unreachable or not fit for allotd. The worker retries after " \
      "`retry_in_ms`. `storage.unavailable` tells the outage.",                                    \
      "Correct what `error` names.")                                                               \
    X(STORAGE_UNAVAILABLE, "storage.unavailable", ERROR,                                           \
      "The database cannot be used, at the start or while the worker runs: it is unreachable, "    \
      "not fit for allotd, or a call has taken over 1 s (level warning, without `error`, if none " \
      "has failed yet). It has been so for `outage_ms`. Commands wait; reads and commands that "   \
      "were set aside may go on. Logged within 2 s of the first call for a write that is not "     \
      "answered, or at the first failure, and once a minute. `storage.recovered` tells the end.",  \
      "Correct what `error` names; check the replica set, its primary and its disks.")             \
    X(STORAGE_REPAIRED, "storage.repaired", WARNING,                                               \
      "Parts of the database were missing while the worker ran: collections, validators, "         \
      "indexes or sentinels, as `missing` names them. They are created again. A collection "       \
      "that was dropped is empty.",                                                                \
      "Find out who dropped or changed it. Restore documents that are lost from a backup; "        \
      "`allotctl audit` shows what does not fit.")                                                 \
    X(STORAGE_INCOMPLETE, "storage.incomplete", ERROR,                                             \
      "Parts of the database are missing or different, as `missing` names them, and the worker "   \
      "may not or cannot create them, as `error` says. The message says whether commands wait: "   \
      "they do if a collection was dropped or a unique index is missing. `missing` is null if "    \
      "the worker may not even look. Repeated until it is repaired, by this worker or another.",   \
      "Give the worker's user the rights that `error` names, or remove what `error` complains "    \
      "of; see \"Dropped collections\" in docs/operations.md.")                                    \
    X(STORAGE_RECOVERED, "storage.recovered", INFO,                                                \
      "The end of `storage.unavailable`: the database works again. It has not for `outage_ms`.",   \
      "Nothing.")                                                                                  \
    X(STORAGE_LIBRARY, "storage.library", WARNING,                                                 \
      "A message of the MongoDB driver: an error, or at debug anything else.",                     \
      "Read it together with the events around it.")                                               \
    X(STORAGE_WARNING, "storage.warning", WARNING,                                                 \
      "The database, or the clock of this machine, is not as recommended. The worker works all "   \
      "the same; `message` says what it means.",                                                   \
      "Do what `message` says.")                                                                   \
    X(BATCH_COMMITTED, "batch.committed", DEBUG,                                                   \
      "A transaction is committed; `duration_ms` counts from gathering the batch. In a batch of "  \
      "letters alone, `commands` counts letters.",                                                 \
      "Nothing.")                                                                                  \
    X(BATCH_FAILED, "batch.failed", WARNING,                                                       \
      "A transaction failed in `stage`, and is retried after `retry_in_ms`. It took no effect, "   \
      "unless `status` is `unknown`: then the retry finds out. In a batch of letters alone, "      \
      "`commands` counts letters. At debug for a conflict and for an outage; "                     \
      "`storage.unavailable` tells the outage.",                                                   \
      "Look at `status` and `error`; see docs/debugging.md.")                                      \
    X(COMMANDS_SUSPECTED, "commands.suspected", WARNING,                                           \
      "A worker died while it processed these commands in a batch of `batch`. They are tried "     \
      "again in batches of half the size, apart from others, so that the one that kills its "      \
      "worker is found.",                                                                          \
      "Find out why the worker died: its log, and `worker.started` of the one that replaced it.")  \
    X(ATTEMPT_CLEANUP_FAILED, "attempt.cleanup_failed", WARNING,                                   \
      "An attempt record cannot be deleted; it counts as a crash of the command until it "         \
      "expires.",                                                                                  \
      "Nothing, unless it repeats: then check the database.")                                      \
    X(COMMAND_SUCCEEDED, "command.succeeded", DEBUG,                                               \
      "A command succeeded, and its delivery is acknowledged.", "Nothing.")                        \
    X(COMMAND_FAILED, "command.failed", INFO,                                                      \
      "A command failed with `code`. At level warning, it is dead-lettered; its letter is stored " \
      "unless `letter.refused` or `letters.over_bound` says otherwise.",                           \
      "Look up `code` in docs/protocol.md; for a dead letter see \"Dead letters\".")               \
    X(AUDIT_DENIED, "audit.denied", WARNING,                                                       \
      "The policy denied a command of `principal`. Logged in place of `command.failed`.",          \
      "Find out who sent it; correct the policy or the producer.")                                 \
    X(REPLY_NOT_ALLOWED, "reply.not_allowed", WARNING,                                             \
      "The policy does not allow this `reply_to`, or it is a queue of the service; the reply is "  \
      "dropped.",                                                                                  \
      "Correct the producer, or the principal's `reply_to` in the policy.")                        \
    X(REPLY_PUBLISH_FAILED, "reply.publish_failed", DEBUG,                                         \
      "A reply was nacked or not confirmed in time. It is published again, at most "               \
      "`reply.max_attempts` times.",                                                               \
      "If it repeats, look at the broker's load and at the limits of the reply queue.")            \
    X(REPLY_UNROUTABLE, "reply.unroutable", WARNING,                                               \
      "The reply of a success reached no queue. The outcome remains recorded. The worker logs "    \
      "the first reply of `principal` to `reply_to` at once. It logs the next ones together, "     \
      "every 10 s, with their number in `not_logged`, and each of them at debug.",                 \
      "The producer asks again under the same `message_id`; check that its reply queue exists.")   \
    X(REPLY_QUEUE_SILENT, "reply.queue_silent", WARNING,                                           \
      "The queue `reply_to` of `principal` does not confirm its replies. Its replies are paused "  \
      "and tried one at a time, on a connection of their own; other replies continue. If they "    \
      "fill half of the present prefetch or a quarter of `amqp.max_bytes_in_flight`, the oldest "  \
      "are given up.",                                                                             \
      "Look at the queue's quorum, its node and its length.")                                      \
    X(REPLY_CLOSES_CONNECTION, "reply.closes_connection", WARNING,                                 \
      "The broker closed a connection twice while this reply alone was on it. It counts as "       \
      "unroutable. For 10 minutes the replies of `principal` to this address use a connection of " \
      "their own.",                                                                                \
      "Look at `reply_to` and `reason`: often a malformed address of direct reply-to, or a reply " \
      "over the broker's `max_message_size`. Tell the producer, or restrict its `reply_to`.")      \
    X(DEAD_LETTER_PUBLISH_FAILED, "dead_letter.publish_failed", ERROR,                             \
      "The broker does not accept dead letters: one was returned, nacked or not confirmed, or "    \
      "its connection was closed. Commands whose letter is stored do not wait. The worker tries "  \
      "one dead letter at a time. Once a minute while it goes on; `route.recovered` tells the "    \
      "end.",                                                                                      \
      "Check the dead-letter exchange, its bindings and its queues (`allotctl topology check`).")  \
    X(DELIVERY_DROPPED, "delivery.dropped", DEBUG,                                                 \
      "The connection was lost in settle stage `stage`, before the delivery was acknowledged. "    \
      "The broker redelivers it, so its reply may be published twice.",                            \
      "Nothing.")                                                                                  \
    X(COMMANDS_RETURNED, "commands.returned", WARNING,                                             \
      "The worker stops, `shutdown.timeout` has passed, and `commands` commands are not "          \
      "finished: the database has not committed them, or the broker has not accepted their "       \
      "reply, or their dead letter where no letter is stored. They go back to the queue, and are " \
      "answered from their recorded outcomes, or processed again where none is recorded.",         \
      "Look for an outage of the database, `dead_letter.publish_failed`, `replies.refused` and "   \
      "`reply.queue_silent` before; or raise `shutdown.timeout`.")                                 \
    X(DELIVERY_UNREADABLE, "delivery.unreadable", WARNING,                                         \
      "The client library cannot read a command: a header over 1 MiB, or values nested too "       \
      "deeply. The worker rejects it, so the broker dead-letters it with the reason `rejected`, "  \
      "and reconnects. A message of the desk queue is dropped there instead, and leaves a letter " \
      "with the reason `unreadable`.",                                                             \
      "Look for the message in the dead-letter queue, and correct its producer.")                  \
    X(DELIVERY_FAILED, "delivery.failed", WARNING,                                                 \
      "The broker closed the connection over a failure of its own (541), perhaps because it "      \
      "cannot deliver a message. The worker reconnects. If a command is the likely cause "         \
      "(`source` commands), it then takes one command at a time until it works, so that the "      \
      "broker does not count deliveries of the others, and asks the desk queue 2 s later. If a "   \
      "message of the desk queue is (`source` desk), commands go on.",                             \
      "If it repeats, see [A message that the broker cannot "                                      \
      "deliver](#a-message-that-the-broker-cannot-deliver).")                                      \
    X(FLOW_PAUSED, "flow.paused", INFO,                                                            \
      "Three quarters of `amqp.max_bytes_in_flight` are reached. The worker cancels its "          \
      "subscription until less "                                                                   \
      "than "                                                                                      \
      "half of the bytes are in flight.",                                                          \
      "If it repeats, raise `amqp.max_bytes_in_flight` or lower `amqp.prefetch`.")                 \
    X(FLOW_RESUMED, "flow.resumed", INFO,                                                          \
      "The worker consumes again after a pause of `paused_ms`.", "Nothing.")                       \
    X(LANE_STALLED, "lane.stalled", ERROR,                                                         \
      "A lane with commands in flight and no known outage made no progress for "                   \
      "`worker.watchdog_timeout`. It reconnects; if that does not help, the process aborts.",      \
      "Report a bug with this line and a core dump; see docs/debugging.md.")                       \
    X(LOG_DROPPED, LOG_EVENT_DROPPED, WARNING,                                                     \
      "stderr did not take the log in time, so `lines` lines were dropped, of which "              \
      "`audit_lines` "                                                                             \
      "are audit events. Audit events are dropped last. Commands are processed all the same. At "  \
      "most once in 10 s.",                                                                        \
      "Look at what reads the worker's stderr, or at the disk that it is written to.")

/*
 * X(id): events of which each line is written. Of all others, a warning or an error that repeats is
 * written at most once in 10 s (log_write). These are about one command, answer an operator, come
 * before the end of the process, or are limited by the code that logs them.
 */
#define EVENTS_EACH(X)                                                                             \
    X(COMMAND_FAILED)                                                                              \
    X(AUDIT_DENIED)                                                                                \
    X(POLICY_RELOAD_FAILED)                                                                        \
    X(LANE_STALLED)                                                                                \
    X(LETTER_REFUSED)                                                                              \
    X(REPLY_UNROUTABLE)                                                                            \
    X(ROUTE_CLOSED)

enum event {
#define X(id, name, level, meaning, action) EVENT_##id,
    EVENTS(X)
#undef X
        EVENT_COUNT
};

/* Returns the name of the event in the log; static. */
const char *event_name(enum event event);
/* Returns the level of the event in the list above. */
enum log_level event_level(enum event event);

/* Returns what a line of the event is, at that level. */
struct log_kind event_kind(enum log_level level, enum event event);

/* Logs an event at its own level: event_log(EVENT_X, LOG_FIELDS(...) or LOG_NONE, format, ...). */
#define event_log(event, ...) event_log_at(event_level(event), event, __VA_ARGS__)
/* Logs an event at a level that the caller has chosen. */
#define event_log_at(level, event, ...) log_write(event_kind(level, event), __VA_ARGS__)

#endif
