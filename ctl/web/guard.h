/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides whether a request may be answered. Every request needs the token or the cookie that it is
 * exchanged for, so that no other user of the machine can use the page. `Host` and `Origin` must be
 * the address that the page listens on, so that no page of another site can reach it, also not
 * under a name that leads here (DNS rebinding). What changes something also needs the CSRF token,
 * which only the page's own forms have. Pure.
 */
#ifndef ALLOT_CTL_WEB_GUARD_H
#define ALLOT_CTL_WEB_GUARD_H

#include "ctl/web/address.h"
#include "ctl/web/request.h"

enum { GUARD_SECRET_BYTES = 32, GUARD_SECRET_DIGITS = 2 * GUARD_SECRET_BYTES, GUARD_HOSTS_MAX = 2 };

struct guard {
    char hosts[GUARD_HOSTS_MAX][ADDRESS_TEXT_MAX];
    size_t host_count;
    char cookie[32]; /* its name, which has the port: browsers send a cookie to all ports */
    char token[GUARD_SECRET_DIGITS + 1];
    char session[GUARD_SECRET_DIGITS + 1]; /* value of the cookie */
    char csrf[GUARD_SECRET_DIGITS + 1];
    bool read_only;
};

/* X(identifier, HTTP status, text for people) */
#define GUARD_ANSWERS(X)                                                                           \
    X(ALLOWED, 200, "")                                                                            \
    X(LOGIN, 303, "") /* the URL has the token: set the cookie */                                  \
    X(BAD_HOST, 421,                                                                               \
      "The address in your browser is not the one that this page listens on. Use the URL that "    \
      "'allotctl web' has printed; through a tunnel, use the same port on both sides.")            \
    X(BAD_ORIGIN, 403, "The request comes from another page, and was not done.")                   \
    X(NO_TOKEN, 401, "Open the URL that 'allotctl web' has printed. It ends with '?token=...'.")   \
    X(BAD_TOKEN, 403,                                                                              \
      "The token in the URL is not the one of this 'allotctl web'. It has a new one after each "   \
      "start: use the URL that it has printed.")                                                   \
    X(BAD_METHOD, 405, "This page does not know the method of the request.")                       \
    X(READ_ONLY, 403, "'allotctl web' was started with --read-only: nothing can be changed.")      \
    X(BAD_CSRF, 403,                                                                               \
      "The form is not one of this 'allotctl web', or is older than its start. Nothing was done. " \
      "Go back, reload the page, and try again.")

enum guard_answer {
#define X(id, status, text) GUARD_##id,
    GUARD_ANSWERS(X)
#undef X
};

/* Return the columns of the list. Static. */
unsigned guard_status(enum guard_answer answer);
const char *guard_text(enum guard_answer answer);

/* Makes a guard for an address with its port. All that is secret is made from `secret`, which has
   GUARD_SECRET_BYTES random bytes. */
struct guard guard_new(const struct address *address,
                       const unsigned char secret[GUARD_SECRET_BYTES], bool read_only);

/* Decides by the request line and the headers. LOGIN is returned for GET and HEAD only. */
enum guard_answer guard_check(const struct guard *guard, const struct web_request *request);
/* Decides by the form of a POST that guard_check() has allowed. */
enum guard_answer guard_check_form(const struct guard *guard, const struct form *form);

/* Returns whether the texts are equal, in a time that depends on their lengths only. */
bool guard_equal(struct text given, const char *secret);
/* Returns the value of a cookie in a `Cookie` header; absent: there is none. */
struct text guard_cookie(struct text header, const char *name);

#endif
