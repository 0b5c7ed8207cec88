/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/exposure.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/base/memory.h"
#include "worker/service/events.h"

enum { LOOPBACK_NET = 127 };

static bool is_loopback_name(const char *host)
{
    static const char name[] = "localhost";
    size_t length = strlen(host), tail = sizeof name - 1;
    return length >= tail && strcasecmp(host + length - tail, name) == 0 &&
           (length == tail || host[length - tail - 1] == '.');
}

static bool is_loopback_address(const char *host)
{
    struct in6_addr six;
    struct in_addr four;
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == LOOPBACK_NET;
    return inet_pton(AF_INET6, host, &six) == 1 &&
           (IN6_IS_ADDR_LOOPBACK(&six) ||
            (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == LOOPBACK_NET));
}

bool exposure_is_local(struct text host)
{
    return host.bytes[0] == '/' || is_loopback_name(host.bytes) || is_loopback_address(host.bytes);
}

void exposure_check_hosts(const char *setting, const struct text *hosts, size_t count, bool tls)
{
    size_t i = 0;
    while (i < count && (tls || exposure_is_local(hosts[i])))
        i++;
    if (i < count)
        event_log(EVENT_CONFIG_PLAIN_TEXT,
                  LOG_FIELDS(LOG_S("setting", setting), LOG_T("host", hosts[i])),
                  "connections to this host are not encrypted; the network can read passwords and "
                  "commands");
}

/* Returns the folder of a path; the caller frees it. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return memory_string(".", 1);
    return memory_string(path, slash == path ? 1 : (size_t)(slash - path));
}

static void log_writable(const char *setting, const char *path)
{
    event_log(EVENT_CONFIG_FILE_WRITABLE,
              LOG_FIELDS(LOG_S("setting", setting), LOG_S("file", path)),
              "every user of this machine can change what the worker reads");
}

static void log_readable(const char *setting, const char *path)
{
    event_log(EVENT_CONFIG_SECRET_READABLE,
              LOG_FIELDS(LOG_S("setting", setting), LOG_S("file", path)),
              "every user of this machine can read this secret");
}

static bool is_replaceable(mode_t folder)
{
    return (folder & S_IWOTH) != 0 && (folder & S_ISVTX) == 0;
}

void exposure_check_file(const char *setting, const char *path, bool secret)
{
    struct stat file, folder;
    if (path == NULL || stat(path, &file) != 0)
        return;
    char *folder_path = folder_of(path);
    /* Who may not enter the folder reaches nothing in it. */
    if (stat(folder_path, &folder) == 0 && (folder.st_mode & S_IXOTH) != 0) {
        if ((file.st_mode & S_IWOTH) != 0)
            log_writable(setting, path);
        if (is_replaceable(folder.st_mode))
            log_writable(setting, folder_path);
        if (secret && (file.st_mode & S_IROTH) != 0)
            log_readable(setting, path);
    }
    free(folder_path);
}
