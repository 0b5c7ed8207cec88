/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. Takes one message after the other from the dead-letter queue. For each: looks whether it
 * has a stored letter, and marks that as published, since its dead letter was in the queue; if not,
 * stores one as published in a transaction of its own; and then acknowledges the message. What
 * cannot be stored or read stays unacknowledged to the end, and the broker requeues it. Sections:
 * the stored letter, storing, a message, the queue.
 *
 * Guarantees. A message is acknowledged only after its letter is committed (majority), so none is
 * lost. The id of a letter depends on the command only, so that a run that was killed in between
 * makes no second letter: the next run finds the first one, and only acknowledges. It does not
 * count the dead letter again either. To tell such a letter from one that this run has stored, and
 * to which another dead letter of the same command adds, the run remembers its ids.
 *
 * One message at a time, because a message that cannot be read costs the connection, and with it
 * the acknowledgement of those that were taken before.
 *
 * Not here: publishing (the worker), and which letter a message makes (of_message.c).
 */
#include "common/mongo/letters_read.h"

#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "allot/limits.h"
#include "ctl/commands.h"
#include "ctl/database.h"
#include "ctl/dead_letter.h"
#include "ctl/dead_queue.h"
#include "ctl/delivery_limit.h"
#include "ctl/letter/import_lines.h"
#include "ctl/letter/of_message.h"
#include "ctl/output.h"
#include "ctl/settings.h"

enum { CONFLICTS_MAX = 20, PAUSE_MS = 50, NS_PER_MS = 1000000 };

struct import {
    const struct options *options;
    const struct settings *settings;
    struct dead_queue queue;
    struct database database;
    struct arena *arena; /* has the ids */
    void *stored_ids;    /* those that this run has stored: a tree of tsearch() */
    uint64_t stored;
    uint64_t known; /* their letters were stored before */
    uint64_t left;  /* cannot be stored or read */
};

/* A message with its letter. */
struct import_message {
    struct client_message *message;
    struct letter letter;
    struct text named; /* the id in its x-allot-letter, or absent */
};

/* --- the stored letter ---------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool is_stored_by_this_run(const struct import *import, struct text id)
{
    char key[LETTER_ID_DIGITS + 1];
    (void)snprintf(key, sizeof key, "%.*s", TEXT_ARGS(id));
    return tfind(key, &import->stored_ids, compare_ids) != NULL;
}

static void remember(struct import *import, struct text id)
{
    if (!is_stored_by_this_run(import, id))
        (void)tsearch(text_copy(import->arena, id).bytes, &import->stored_ids, compare_ids);
}

static void keep_key(void *key)
{
    (void)key; /* the arena owns it */
}

static bool same_event(const struct letter *a, const struct letter *b)
{
    return text_equal(a->reason, b->reason) && text_equal(a->detail, b->detail) &&
           text_equal(a->worker, b->worker);
}

/* Sets `ret_found` to whether a letter has exactly this id. */
static enum store_status find_letter(struct import *import, struct text id, struct arena *arena,
                                     struct letter_record *ret_record, bool *ret_found,
                                     struct error *error)
{
    size_t matches = 0;
    *ret_found = false;
    if (id.length != LETTER_ID_DIGITS)
        return STORE_OK;
    enum store_status status =
        mongo_letter_find(import->database.store, id, arena, ret_record, &matches, error);
    *ret_found = matches == 1;
    return status;
}

/* The stored letter of a message. */
struct known {
    struct text id; /* absent: there is none */
    bool published; /* the message is the dead letter of its newest entry */
    bool bodyless;  /* its body is not stored, or no more */
};

static void set_known(struct known *known, struct text id, const struct letter *letter,
                      bool published)
{
    *known = (struct known){id, published, letter->body_dropped};
}

/*
 * Looks for the letter of a message: the one that it names, if that has the same body, or the one
 * with the id of its command. Unless the letter is `published`, a worker publishes another dead
 * letter.
 */
static enum store_status find_known(struct import *import, const struct import_message *item,
                                    struct known *ret_known, struct error *error)
{
    struct arena *arena = item->message->arena;
    struct letter_record record;
    bool found = false;
    *ret_known = (struct known){.id = TEXT_NONE};
    enum store_status status = find_letter(import, item->named, arena, &record, &found, error);
    if (status != STORE_OK)
        return status;
    if (found && text_equal(record.letter.body_sha256, item->letter.body_sha256)) {
        set_known(ret_known, item->named, &record.letter,
                  same_event(&record.letter, &item->letter));
        return STORE_OK;
    }
    if (is_stored_by_this_run(import, item->letter.id))
        return STORE_OK;
    status = find_letter(import, item->letter.id, arena, &record, &found, error);
    if (status == STORE_OK && found)
        set_known(ret_known, item->letter.id, &record.letter,
                  same_event(&record.letter, &item->letter));
    return status;
}

/* --- storing -------------------------------------------------------------------------------- */

static enum store_status store_once(struct store *store, const struct letter *letter,
                                    struct error *error)
{
    enum store_status status = store->ops->begin(store, error);
    if (status != STORE_OK)
        return status;
    status = store->ops->write_letters(store, letter, 1, error);
    if (status == STORE_OK)
        status = store->ops->commit(store, error);
    store->ops->end(store);
    return status;
}

/* A worker may write the same letter at this moment. */
static enum store_status store_letter(struct store *store, const struct letter *letter,
                                      struct error *error)
{
    const struct timespec pause = {.tv_nsec = (long)PAUSE_MS * NS_PER_MS};
    enum store_status status = STORE_CONFLICT;
    for (int i = 0; status == STORE_CONFLICT && i < CONFLICTS_MAX; i++) {
        if (i > 0)
            (void)nanosleep(&pause, NULL);
        status = store_once(store, letter, error);
    }
    return status;
}

static enum store_status mark_published(struct store *store, struct text id, struct error *error)
{
    return store->ops->mark_letters_published(store, &id, 1, error);
}

/* Notes that a message has a letter. */
static enum store_status keep_known(struct import *import, const struct import_message *item,
                                    const struct known *known, struct error *error)
{
    if (known->bodyless && text_present(item->letter.body)) {
        error_set(error, "its letter has no body any more, but the message has it");
        return STORE_REFUSED;
    }
    import->known++;
    return known->published && !import->options->dry_run
               ? mark_published(import->database.store, known->id, error)
               : STORE_OK;
}

/* Stores the letter, unless there is one. Afterwards the message is not needed any more. */
static enum store_status keep_letter(struct import *import, const struct import_message *item,
                                     struct error *error)
{
    struct known known;
    enum store_status status = find_known(import, item, &known, error);
    if (status == STORE_OK && text_present(known.id))
        return keep_known(import, item, &known, error);
    if (status == STORE_OK && !import->options->dry_run)
        status = store_letter(import->database.store, &item->letter, error);
    if (status != STORE_OK)
        return status;
    import->stored++;
    remember(import, item->letter.id);
    return STORE_OK;
}

/* --- a message ------------------------------------------------------------------------------ */

static void print_left(const char *what, struct text message_id, const struct error *error)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "allotctl: %s", what);
    if (text_present(message_id)) {
        (void)fputs(" with message id ", stderr);
        print_printable(stderr, message_id);
    }
    (void)fputs(" stays in the queue: ", stderr);
    print_printable_line(stderr, text_of(error->text));
}

/* Returns whether the failure concerns this message only. */
static bool concerns_message(enum store_status status)
{
    return status == STORE_REFUSED || status == STORE_EXPIRED;
}

static bool import_message(struct import *import, struct client_message *message,
                           struct error *error)
{
    struct dead_letter dead =
        dead_letter_read(message, import->settings->amqp_queue, message->arena);
    struct import_message item = {
        .message = message,
        .letter = letter_of_message(message->arena, message, &dead, import->settings),
        .named = dead.letter,
    };
    enum store_status status = keep_letter(import, &item, error);
    if (concerns_message(status)) {
        import->left++;
        print_left("a message", message->properties.message_id, error);
        return true;
    }
    if (status != STORE_OK)
        return false;
    return import->options->dry_run || client_ack(import->queue.client, message->tag, error);
}

/* --- the queue ------------------------------------------------------------------------------ */

static enum client_answer import_next(struct import *import, struct error *error)
{
    struct client_message message = {0};
    enum client_answer answer = dead_queue_take(&import->queue, &message, error);
    if (answer == CLIENT_MESSAGE && !import_message(import, &message, error))
        answer = CLIENT_FAILED;
    if (answer == CLIENT_UNREADABLE) {
        import->left++;
        print_left("an unreadable message", TEXT_NONE, error);
    }
    arena_free(message.arena);
    return answer;
}

/* Takes no more messages than there are at the start, so that it ends. */
static bool import_queue(struct import *import, struct error *error)
{
    uint32_t count = 0;
    if (!client_count(import->queue.client, import->queue.name, &count, error))
        return false;
    int64_t limit = import->options->limit;
    if (limit == 0 || limit > count)
        limit = count;
    enum client_answer answer = CLIENT_MESSAGE;
    for (int64_t i = 0; i < limit && answer != CLIENT_NOTHING; i++) {
        answer = import_next(import, error);
        if (answer == CLIENT_FAILED)
            return false;
    }
    return true;
}

/* A dry run requeues all that it has taken. */
static bool open_queue(struct import *import, struct error *error)
{
    struct dead_queue *queue = &import->queue;
    return dead_queue_open(queue, error) &&
           (!import->options->dry_run || delivery_limit_check(queue->client, queue->name, error));
}

/* Creates the collection with its indexes, if no worker of this version has run yet. */
static bool open_database(struct import *import, struct error *error)
{
    struct store *store = import->database.store;
    return import->options->dry_run || store->ops->prepare(store, error) == STORE_OK;
}

static void print_summary(const struct import *import)
{
    (void)printf("%" PRIu64 " dead letters: %" PRIu64 " %s, %" PRIu64 " stored before, %" PRIu64
                 " left in the queue\n",
                 import->stored + import->known + import->left, import->stored,
                 import->options->dry_run ? "to import" : "imported", import->known, import->left);
}

/* The summary comes first: after a failure too, it says what was done. */
static int run_import(struct import *import)
{
    struct error error = {""};
    bool opened = database_open(import->settings, &import->database, &error) &&
                  open_queue(import, &error) && open_database(import, &error);
    bool done = opened && import_queue(import, &error);
    dead_queue_close(&import->queue);
    database_close(&import->database);
    if (opened)
        print_summary(import);
    if (!done)
        return fail_with(&error);
    return import->left == 0 ? EXIT_SUCCESS : EXIT_FAILED;
}

static bool check_source(const struct options *options)
{
    bool queue = options->from_queue || options->queue != NULL || options->limit != 0;
    if (options->operand == NULL || !queue)
        return true;
    (void)fputs(
        "allotctl: --from-queue, --queue and --limit are for the dead letters in the queue; "
        "give either them or a file\n",
        stderr);
    return false;
}

int letter_import_command(const struct options *options, struct arena *arena)
{
    struct settings settings = {0};
    struct error error = {""};
    if (!check_source(options))
        return EXIT_USAGE;
    if (options->operand != NULL)
        return letter_import_lines(options, arena);
    if (!both_settings_load(options, arena, &settings, &error))
        return fail_with(&error);
    struct import import = {.options = options,
                            .settings = &settings,
                            .queue = dead_queue_of(options, &settings, arena),
                            .arena = arena};
    import.queue.body_bytes_max = BODY_BYTES_MAX;
    if (!settings.letters_keep_body && !options->dry_run)
        (void)fputs("allotctl: letters.keep_body is false: letters are stored without bodies, and "
                    "the bodies are lost with the messages\n",
                    stderr);
    int status = run_import(&import);
    tdestroy(import.stored_ids, keep_key);
    return status;
}
