/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/web/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_MAX = 65535, PORT_HTTP = 80 };

static bool fail(const char *text, struct error *error)
{
    error_set(error,
              "invalid address '%s': expected ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:0",
              text);
    return false;
}

static bool parse_port(const char *digits, uint16_t *ret_port)
{
    size_t length = strlen(digits);
    long port = length > 0 && length <= 5 && strspn(digits, "0123456789") == length
                    ? strtol(digits, NULL, 10)
                    : -1;
    if (port < 0 || port > PORT_MAX)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

/* Splits at the port's colon: the last one, unless it is within the brackets. */
static bool split(const char *text, char *host, size_t host_size, uint16_t *ret_port)
{
    const char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;
    const char *colon = text[0] == '[' ? bracket != NULL ? bracket + 1 : NULL : strrchr(text, ':');
    *ret_port = 0;
    if (text[0] == '[' && bracket == NULL)
        return false;
    if (colon != NULL && *colon != '\0' && (*colon != ':' || !parse_port(colon + 1, ret_port)))
        return false;
    const char *begin = bracket != NULL ? text + 1 : text;
    size_t length = bracket != NULL ? (size_t)(bracket - begin)
                    : colon != NULL ? (size_t)(colon - begin)
                                    : strlen(begin);
    if (length == 0 || length >= host_size)
        return false;
    memcpy(host, begin, length);
    host[length] = '\0';
    return true;
}

static bool is_everywhere(const struct address *address)
{
    return address->socket.any.sa_family == AF_INET
               ? address->socket.v4.sin_addr.s_addr == htonl(INADDR_ANY)
               : IN6_IS_ADDR_UNSPECIFIED(&address->socket.v6.sin6_addr);
}

static bool is_loopback(const struct address *address)
{
    return address->socket.any.sa_family == AF_INET
               ? ntohl(address->socket.v4.sin_addr.s_addr) >> 24 == 127
               : IN6_IS_ADDR_LOOPBACK(&address->socket.v6.sin6_addr);
}

bool address_parse(const char *text, struct address *ret_address, struct error *error)
{
    char host[INET6_ADDRSTRLEN];
    uint16_t port = 0;
    memset(ret_address, 0, sizeof *ret_address);
    if (!split(text, host, sizeof host, &port))
        return fail(text, error);
    const char *numeric = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (text[0] != '[' && inet_pton(AF_INET, numeric, &ret_address->socket.v4.sin_addr) == 1)
        ret_address->socket.any.sa_family = AF_INET;
    else if (text[0] == '[' && inet_pton(AF_INET6, host, &ret_address->socket.v6.sin6_addr) == 1)
        ret_address->socket.any.sa_family = AF_INET6;
    else
        return fail(text, error);
    address_set_port(ret_address, port);
    ret_address->loopback = is_loopback(ret_address);
    if (!is_everywhere(ret_address))
        return true;
    error_set(error,
              "%s stands for all addresses of this machine; give the one that browsers will use",
              text);
    return false;
}

uint16_t address_port(const struct address *address)
{
    return ntohs(address->socket.any.sa_family == AF_INET ? address->socket.v4.sin_port
                                                          : address->socket.v6.sin6_port);
}

void address_set_port(struct address *address, uint16_t port)
{
    if (address->socket.any.sa_family == AF_INET)
        address->socket.v4.sin_port = htons(port);
    else
        address->socket.v6.sin6_port = htons(port);
}

static void format(const char *before, const char *host, const char *after, uint16_t port,
                   char *ret_text)
{
    if (port == PORT_HTTP)
        (void)snprintf(ret_text, ADDRESS_TEXT_MAX, "%s%s%s", before, host, after);
    else
        (void)snprintf(ret_text, ADDRESS_TEXT_MAX, "%s%s%s:%u", before, host, after, port);
}

void address_format(const struct address *address, char ret_text[ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN] = "";
    bool v4 = address->socket.any.sa_family == AF_INET;
    const void *bytes = v4 ? (const void *)&address->socket.v4.sin_addr
                           : (const void *)&address->socket.v6.sin6_addr;
    (void)inet_ntop(address->socket.any.sa_family, bytes, host, sizeof host);
    format(v4 ? "" : "[", host, v4 ? "" : "]", address_port(address), ret_text);
}

void address_format_local(const struct address *address, char ret_text[ADDRESS_TEXT_MAX])
{
    format("", "localhost", "", address_port(address), ret_text);
}
