/* SPDX-License-Identifier: Apache-2.0 */
/* The version of the programs. CMakeLists.txt has the number; the build adds the git revision. */
#ifndef ALLOT_BASE_VERSION_H
#define ALLOT_BASE_VERSION_H

/* "0.1.0 (git 0123456789ab)"; without the revision where it was built outside of git. Static. */
const char *version_text(void);

#endif
