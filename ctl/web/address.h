/* SPDX-License-Identifier: Apache-2.0 */
/* The address that the page listens on, and the names that a browser may use for it. Pure. */
#ifndef ALLOT_CTL_WEB_ADDRESS_H
#define ALLOT_CTL_WEB_ADDRESS_H

#include <netinet/in.h>

#include "common/base/error.h"
#include "common/base/text.h"

enum { ADDRESS_TEXT_MAX = INET6_ADDRSTRLEN + 10 };

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket;
    bool loopback;
};

/*
 * Parses "127.0.0.1:8080", "[::1]:0", "localhost:8080", or an address without a port, which then is
 * 0: the system chooses one. Returns false, with an error, if it is none of these, or an address
 * that stands for all of the machine: the page would not know which names are its own.
 */
ALLOT_CHECK bool address_parse(const char *text, struct address *ret_address, struct error *error);

uint16_t address_port(const struct address *address);
void address_set_port(struct address *address, uint16_t port);

/* Writes "127.0.0.1:8080" or "[::1]:8080": what a browser sends as `Host`. Port 80 is left out, as
   browsers do. */
void address_format(const struct address *address, char ret_text[ADDRESS_TEXT_MAX]);
/* The same with the name localhost. */
void address_format_local(const struct address *address, char ret_text[ADDRESS_TEXT_MAX]);

#endif
