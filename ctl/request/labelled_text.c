/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/request/labelled_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "ctl/output.h"

enum { LABEL_WIDTH = 12 };

void print_labelled(const char *label, struct text text)
{
    (void)printf("%-*s ", LABEL_WIDTH, label);
    print_printable_line(stdout, text.length > 0 ? text : text_of("-"));
}

void print_labelled_number(const char *label, int64_t number)
{
    (void)printf("%-*s %" PRId64 "\n", LABEL_WIDTH, label, number);
}
