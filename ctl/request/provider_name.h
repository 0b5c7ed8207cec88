/* SPDX-License-Identifier: Apache-2.0 */
/* Providers by name: an argument that names one, and the names of those that a reply names. */
#ifndef ALLOT_CTL_PROVIDER_NAME_H
#define ALLOT_CTL_PROVIDER_NAME_H

#include "ctl/request/request.h"

/*
 * Finds the provider of an argument: a UUID, or a name, which is looked up with provider.list. A
 * text that is a UUID is never looked up. Prints an error and returns false if there is no provider
 * of this name, or the principal may not list providers.
 */
ALLOT_CHECK bool provider_find(struct requests *requests, const char *name_or_uuid,
                               struct uuid *ret_uuid);

/* Asks for names, until the principal may not. Zero but for `requests` at the beginning. */
struct provider_names {
    struct requests *requests;
    bool stopped;
};
/* Returns the name of a provider, borrowed from the answers, with provider.get; absent if the
   principal may not ask for it, or there is no answer. From then on it does not ask any more. */
struct text provider_names_get(struct provider_names *names, const char *uuid);

#endif
