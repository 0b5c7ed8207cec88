/* SPDX-License-Identifier: Apache-2.0 */
#include "common/host/end_process.h"

#include <stdio.h>
#include <unistd.h>
#ifdef ALLOT_LEAK_CHECK
#include <sanitizer/lsan_interface.h>
#endif

void end_process(int status)
{
    (void)fflush(NULL);
#ifdef ALLOT_LEAK_CHECK
    __lsan_do_leak_check(); /* else a function of atexit() */
#endif
    _exit(status);
}
