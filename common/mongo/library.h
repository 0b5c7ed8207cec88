/* SPDX-License-Identifier: Apache-2.0 */
/* Start and end of libmongoc in a process. */
#ifndef ALLOT_MONGO_LIBRARY_H
#define ALLOT_MONGO_LIBRARY_H

/* Starts libmongoc. Call it once in a process, before there are threads. */
void mongo_library_init(void);
/* Libmongoc makes shared memory for its counters when it is loaded, named after the process. Nobody
   reads it here. A process that does not end by exit() would leave it, and libmongoc would print a
   warning in the next one with the same process id. This removes the name. A program that may end
   without mongo_library_init() calls it. */
void mongo_library_remove_counters(void);
/* Ends libmongoc. Call it once, at the end of the process, after the pool is freed. */
void mongo_library_cleanup(void);

#endif
