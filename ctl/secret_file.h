/* SPDX-License-Identifier: Apache-2.0 */
/* Files with passwords, which only their user should be able to read. */
#ifndef ALLOT_CTL_SECRET_FILE_H
#define ALLOT_CTL_SECRET_FILE_H

#include "common/base/text.h"

/* Warns on stderr if `uri`, a value that was read from the file `path`, has a password, and other
   users of the machine can read the file. Once for a file. Scratch memory is from `arena`. */
void secret_file_check(const char *path, struct text uri, struct arena *arena);

#endif
