/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a process whose libraries still have threads. */
#ifndef ALLOT_HOST_END_PROCESS_H
#define ALLOT_HOST_END_PROCESS_H

/* Writes what stdio holds, and ends the process with `status`, without the functions of atexit():
   threads of libmongoc may still run (mongo_pool_leave), and must not use what a library frees
   there. With AddressSanitizer it checks for leaks first, and ends with that check's status if it
   finds one. */
_Noreturn void end_process(int status);

#endif
