/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/captured_log.h"

#include "tests/support/cmocka.h"

#include <string.h>
#include <unistd.h>

void captured_log_begin(struct captured_log *log)
{
    log->file = tmpfile();
    assert_non_null(log->file);
    log->saved = dup(STDERR_FILENO);
    assert_int_equal(dup2(fileno(log->file), STDERR_FILENO), STDERR_FILENO);
}

const char *captured_log_read(struct captured_log *log)
{
    rewind(log->file);
    size_t length = fread(log->text, 1, sizeof log->text - 1, log->file);
    log->text[length] = '\0';
    rewind(log->file);
    assert_int_equal(ftruncate(fileno(log->file), 0), 0);
    return log->text;
}

void captured_log_end(struct captured_log *log)
{
    (void)dup2(log->saved, STDERR_FILENO);
    (void)close(log->saved);
    (void)fclose(log->file);
}

size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        count++;
    return count;
}
