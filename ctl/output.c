/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"

int fail_with(const struct error *error)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "allotctl: %s\n", error->text);
    return EXIT_FAILED;
}

int finish_output(int status)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return status;
    (void)fprintf(stderr, "allotctl: cannot write to standard output: %s\n", strerror(errno));
    return EXIT_FAILED;
}
