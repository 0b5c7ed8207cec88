/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/system/worker_pipe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/worker_fixture.h"

enum { WAIT_STEP_US = 10000 };

struct full_pipe make_full_pipe(void)
{
    struct full_pipe full = {.folder = "/tmp/allot-pipe-XXXXXX"};
    assert_non_null(mkdtemp(full.folder));
    (void)snprintf(full.path, sizeof full.path, "%s/log", full.folder);
    assert_int_equal(mkfifo(full.path, 0600), 0);
    full.fd = open(full.path, O_RDONLY | O_NONBLOCK);
    assert_true(full.fd >= 0);
    fill_pipe(&full);
    return full;
}

void fill_pipe(const struct full_pipe *full)
{
    int filler = open(full->path, O_WRONLY | O_NONBLOCK);
    assert_true(filler >= 0);
    while (write(filler, "\n", 1) == 1)
        continue;
    (void)close(filler);
}

void remove_pipe(const struct full_pipe *full)
{
    (void)close(full->fd);
    (void)unlink(full->path);
    (void)rmdir(full->folder);
}

/* Returns true if `*matched` characters of `part`, with those of `bytes` behind, contain it. */
static bool find_part(const char *part, size_t *matched, const char *bytes, ssize_t length)
{
    for (ssize_t i = 0; i < length && part[*matched] != '\0'; i++) {
        if (bytes[i] == part[*matched])
            (*matched)++;
        else
            *matched = bytes[i] == part[0];
    }
    return part[*matched] == '\0';
}

void read_until(const struct full_pipe *full, const char *part)
{
    char bytes[4096];
    size_t matched = 0;
    for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms += WAIT_STEP_US / 1000) {
        ssize_t length;
        while ((length = read(full->fd, bytes, sizeof bytes)) > 0) {
            if (find_part(part, &matched, bytes, length))
                return;
        }
        (void)usleep(WAIT_STEP_US);
    }
    fail_msg("no %s in the log", part);
}
