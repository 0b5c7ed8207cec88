/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Includes cmocka, which needs the four headers before it. Cmocka 2 deprecates the assertions whose
 * arguments may be of any integer type, and cmocka 1 has no others.
 */
#ifndef ALLOT_TESTS_CMOCKA_H
#define ALLOT_TESTS_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#define CMOCKA_DISABLE_DEPRECATION_WARNINGS
#include <cmocka.h>
#undef stop /* a macro of cmocka 2, and the name of functions of tests */

#endif
