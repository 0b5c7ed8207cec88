/* SPDX-License-Identifier: Apache-2.0 */
/* The files of ctl/web/assets, which the build makes part of the program (cmake/assets.cmake). */
#ifndef ALLOT_CTL_WEB_ASSETS_H
#define ALLOT_CTL_WEB_ASSETS_H

#include <stddef.h>

struct asset {
    const char *name;
    const char *path; /* with the first digits of the file's digest: a new file has a new address */
    const unsigned char *bytes;
    size_t length;
};

/* Made by the build; a row without a name ends the list. */
extern const struct asset assets[];

/* Returns the path of a file on the site. Aborts if there is no such file. Static. */
const char *asset_path(const char *name);

#endif
