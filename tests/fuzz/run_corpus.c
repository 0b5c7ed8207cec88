/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one fuzz target, without libFuzzer, on every file of a folder, sorted by name. Usage: fuzz_x
 * FOLDER. script/lib/count_tests counts the line at the end. An empty folder is a failure, so that
 * a lost corpus is noticed.
 */
#include <dirent.h>
#include <string.h>

#include "tests/fuzz/fuzz_target.h"

enum { INPUT_BYTES_MAX = 4 * 1024 * 1024, PATH_ROOM = 4096 };

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* A heap block of the exact length lets the sanitizer see a byte read too far. */
static uint8_t *read_input(const char *path, size_t *ret_size)
{
    static uint8_t room[INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    size_t size = fread(room, 1, sizeof room, file);
    int failed = ferror(file) != 0 || size == sizeof room;
    (void)fclose(file);
    uint8_t *data = failed ? NULL : malloc(size > 0 ? size : 1);
    if (data == NULL)
        return NULL;
    memcpy(data, room, size);
    *ret_size = size;
    return data;
}

static int run_input(const char *folder, const char *name)
{
    char path[PATH_ROOM];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    size_t size = 0;
    uint8_t *data = read_input(path, &size);
    if (data == NULL) {
        (void)fprintf(stderr, "cannot read %s, or it is too large\n", path);
        return 1;
    }
    /* Printed before the run, since a failure ends the process. */
    (void)fprintf(stderr, "%s\n", path);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    const char *target = base_name(argv[0]);
    (void)printf("[ RUN      ] %s\n", target);
    (void)fflush(stdout);
    struct dirent **entries = NULL;
    int count = scandir(argv[1], &entries, is_input, alphasort);
    int failures = 0;
    for (int i = 0; i < count; i++) {
        failures += run_input(argv[1], entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    if (count <= 0 || failures > 0) {
        (void)printf("[  FAILED  ] %s: %d inputs, %d not read\n", target, count, failures);
        return 1;
    }
    (void)printf("[       OK ] %s: %d inputs\n", target, count);
    return 0;
}
