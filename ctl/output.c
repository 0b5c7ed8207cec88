/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/utf8.h"
#include "ctl/commands.h"

/* Calls one of the functions for each code point; a byte that is not UTF-8 counts as a control
   character. */
static void print_each(FILE *stream, struct text text, void (*print_control)(FILE *, struct text))
{
    while (text.length > 0) {
        size_t length = utf8_sequence(text);
        struct text part = text_view(text.bytes, length > 0 ? length : 1);
        if (length == 0 || utf8_is_control(part))
            print_control(stream, part);
        else
            (void)fwrite(part.bytes, 1, part.length, stream);
        text = text_view(text.bytes + part.length, text.length - part.length);
    }
}

static void print_mark(FILE *stream, struct text control)
{
    (void)control;
    (void)fputc('?', stream);
}

static void print_escape(FILE *stream, struct text control)
{
    bool valid = utf8_sequence(control) == control.length;
    (void)fprintf(stream, "\\u%04x", (unsigned)(valid ? utf8_code_point(control) : 0xfffd));
}

void print_printable(FILE *stream, struct text text)
{
    print_each(stream, text, print_mark);
}

void print_printable_line(FILE *stream, struct text text)
{
    print_printable(stream, text);
    (void)fputc('\n', stream);
}

void print_json_line(FILE *stream, struct text json)
{
    print_each(stream, json, print_escape);
    (void)fputc('\n', stream);
}

int fail_with(const struct error *error)
{
    (void)fflush(stdout);
    (void)fputs("allotctl: ", stderr);
    print_printable_line(stderr, text_of(error->text));
    return EXIT_FAILED;
}

int finish_output(int status)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return status;
    (void)fprintf(stderr, "allotctl: cannot write to standard output: %s\n", strerror(errno));
    return EXIT_FAILED;
}
