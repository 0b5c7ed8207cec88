/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/desk/person.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

enum { HOST_BYTES_MAX = 256 };

/* Only root can have been called by sudo; for anybody else the variable says nothing. */
static const char *sudo_user(void)
{
    const char *user = geteuid() == 0 ? getenv("SUDO_USER") : NULL;
    return user != NULL && *user != '\0' ? user : NULL;
}

struct text person_name(struct arena *arena)
{
    char host[HOST_BYTES_MAX] = "";
    const struct passwd *entry = getpwuid(geteuid());
    const char *user = sudo_user();
    (void)gethostname(host, sizeof host - 1);
    if (user == NULL && entry != NULL)
        user = entry->pw_name;
    if (user == NULL)
        return text_format(arena, "uid %u@%s", (unsigned)geteuid(), host);
    return text_format(arena, "%s@%s", user, host);
}
