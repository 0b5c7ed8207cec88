/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends commands to the workers as the broker user of the URI, one after the other, and waits for
 * the reply of each. So the policy, idempotency and the audit log apply to an operator as to any
 * producer. Errors are printed on stderr.
 *
 * One run of allotctl may send several commands: reads first, then at most one that changes
 * something. The idempotency key of --key, or a random one, is the key of the latter; a read always
 * has a random key.
 */
#ifndef ALLOT_CTL_REQUEST_H
#define ALLOT_CTL_REQUEST_H

#include <jansson.h>

#include "common/core/command.h"
#include "common/core/verdict.h"
#include "ctl/options.h"

struct requests;

/*
 * Connects to the broker and declares the queue for replies. Uses the options of the servers,
 * --timeout, --key and --json. `options` and `arena` are borrowed. Returns NULL after it has
 * printed an error. The caller closes the result.
 */
struct requests *requests_open(const struct options *options, struct arena *arena);
/* Closes the connection and frees all answers. NULL is allowed. */
void requests_close(struct requests *requests);
/* Returns the principal that the commands are of; borrowed. */
struct text requests_principal(const struct requests *requests);

enum answer_kind {
    ANSWER_SUCCESS,
    ANSWER_FAILURE,
    ANSWER_NONE /* there is none: an error has been printed */
};

/* What became of a command. All of it is borrowed from `requests`. */
struct answer {
    enum answer_kind kind;
    bool replayed;
    json_t *result;         /* of a success */
    json_t *error;          /* of a failure */
    enum verdict_code code; /* of a failure; VERDICT_SUCCESS: a code that is unknown */
};

/*
 * Sends a command and waits for its reply. Takes the ownership of `params`; NULL: an
 * argument is not UTF-8, which is an error. If there is no reply, the error that is printed says
 * how to learn it. `repeat` is for a command that changes something: the options which, beside
 * --key, make the same command of the same arguments again; "" if none are needed; NULL if none
 * can.
 */
struct answer request_send(struct requests *requests, enum command_kind command, json_t *params,
                           const char *repeat);

/* Does the same. Returns the result of a success, borrowed; NULL after the failure or the error has
   been printed. */
json_t *request_result(struct requests *requests, enum command_kind command, json_t *params,
                       const char *repeat);

/* Prints that the command is not sent since an argument is not UTF-8. */
void request_fail_encoding(void);

/* Prints a failure, with its details and what to do, on stderr. With --json, prints it as an object
   with the member `error` on stdout too. Returns EXIT_FAILED. */
int answer_fail(const struct requests *requests, const struct answer *answer);

/* Prints an object on one line of stdout, for --json. */
void print_json(const json_t *json);

#endif
