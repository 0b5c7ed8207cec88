/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents made from the list of settings (allot/settings.h), so that they cannot differ from it.
 * script/generate writes them to their files. Both functions write to `out`, whose error state the
 * caller checks.
 */
#ifndef ALLOT_CODEC_SETTINGS_DOCUMENT_H
#define ALLOT_CODEC_SETTINGS_DOCUMENT_H

#include <stdio.h>

/*
 * Writes config/allotd.example.yaml: a complete settings file, where each setting has its help as a
 * comment and its default as its value. A required setting is commented out, with an example value.
 */
void settings_write_example(FILE *out);

/*
 * Writes the settings for the manual page allotd.yaml(5), in the syntax of scdoc: a subsection for
 * each section of the file, an entry for each setting. The caller writes the rest of the page.
 */
void settings_write_manual(FILE *out);

#endif
