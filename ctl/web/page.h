/* SPDX-License-Identifier: Apache-2.0 */
/* What all pages have in common: the head, the navigation, errors. */
#ifndef ALLOT_CTL_WEB_PAGE_H
#define ALLOT_CTL_WEB_PAGE_H

#include "ctl/web/html.h"
#include "ctl/web/site.h"

enum page_section { PAGE_LETTERS, PAGE_CAPACITY, PAGE_PROJECTS, PAGE_HELP, PAGE_NONE };

/* Begins a page; its heading is the title. */
struct html page_begin(const struct site *site, const struct web_request *request,
                       const char *title, enum page_section section);
/* Ends it, and returns it. */
struct web_response page_end(const struct site *site, struct html *html);

/* Returns a page that says what failed. */
struct web_response page_error(const struct site *site, const struct web_request *request,
                               unsigned status, const char *text);
/* Returns a page for a call that has failed: status UNAVAILABLE, and the error without what stands
   before '@' in a URI, which may be a password. */
struct web_response page_failure(const struct site *site, const struct web_request *request,
                                 const char *what, const struct error *error);
/* Writes an error in the same way. */
void page_error_text(struct html *html, const char *text);

/* Returns a redirect to "BEFORE" and a part, which is encoded. */
struct web_response page_redirect(const struct web_request *request, const char *before,
                                  struct text part);

#endif
