/* SPDX-License-Identifier: Apache-2.0 */
/* The version of the programs: the number from CMakeLists.txt and the git revision of the build. */
#ifndef ALLOT_BASE_VERSION_H
#define ALLOT_BASE_VERSION_H

/*
 * Returns a text such as "0.1.0 (git 0123456789ab)". Without git, the text has no revision. Static.
 */
const char *version_text(void);

#endif
