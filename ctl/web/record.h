/* SPDX-License-Identifier: Apache-2.0 */
/* The letter that the path of a request names. */
#ifndef ALLOT_CTL_WEB_RECORD_H
#define ALLOT_CTL_WEB_RECORD_H

#include "allot/letter.h"
#include "ctl/web/site.h"

/* Reads the letter whose id the '*' of the pattern stands for; all is in the request's arena.
   Returns false, with the answer that says so, if there is none. */
ALLOT_CHECK bool record_read(const struct site *site, const struct web_request *request,
                             const char *pattern, struct letter_record *ret_record,
                             struct web_response *ret_answer);

#endif
