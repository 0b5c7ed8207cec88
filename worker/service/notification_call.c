/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/service/notification_call.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/host/http_post.h"
#include "common/host/run_program.h"

#define COMMAND "letters.notify_command"
#define URL "letters.notify_url"

bool notification_call_wanted(const struct notification_call *call)
{
    return call->command.length > 0 || call->url.length > 0;
}

static bool check_command(const char *path, struct error *error)
{
    struct stat file;
    if (path[0] != '/') {
        error_set(error, COMMAND ": expected an absolute path, found '%s'", path);
        return false;
    }
    if (stat(path, &file) != 0 || access(path, X_OK) != 0) {
        error_set(error, COMMAND ": cannot run %s: %s", path, strerror(errno));
        return false;
    }
    if (S_ISREG(file.st_mode))
        return true;
    error_set(error, COMMAND ": cannot run %s: not a regular file", path);
    return false;
}

static bool check_url(struct text text, struct error *error)
{
    struct arena *arena = arena_new(0);
    struct http_url url;
    bool valid = http_url_read(text, arena, &url, error);
    if (!valid)
        error_prefix(error, URL);
    arena_free(arena);
    return valid;
}

bool notification_call_check(const struct notification_call *call, struct error *error)
{
    if (call->command.length > 0 && call->url.length > 0) {
        error_set(error, COMMAND " and " URL ": only one of them may be set");
        return false;
    }
    if (call->command.length > 0)
        return check_command(call->command.bytes, error);
    return call->url.length == 0 || check_url(call->url, error);
}

bool notification_call_run(const struct notification_call *call, struct text json, int stop_fd,
                           struct error *error)
{
    if (call->command.length > 0) {
        struct program_run run = {call->command.bytes, json, call->timeout_ms, stop_fd};
        return run_program(&run, error);
    }
    struct http_post post = {call->url.bytes, json, call->timeout_ms, stop_fd};
    return http_post(&post, error);
}
