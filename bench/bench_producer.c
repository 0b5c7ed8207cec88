/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_producer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/bench_link.h"

/* A run without any reply for this long has failed. */
enum { SILENCE_SECONDS = 180 };

struct producer {
    struct producer_options options;
    struct link *link;
    size_t sent, answered;
    double *times;      /* of each command: when it was planned; once answered, its latency */
    double started;     /* when the schedule began; 0: not yet */
    double progress_at; /* the last answer, or the first command after all were answered */
    double longest_stall;
};

struct producer *producer_open(const struct producer_options *options)
{
    struct producer *producer = bench_array(1, sizeof *producer);
    char queue[64]; /* has this process's id, so replies to an aborted run go elsewhere */
    producer->options = *options;
    producer->times = bench_array(options->commands, sizeof *producer->times);
    (void)snprintf(queue, sizeof queue, CLAIM_PRINCIPAL ".bench.%d", (int)getpid());
    producer->link = link_open(options->uri, queue);
    return producer;
}

void producer_close(struct producer *producer)
{
    link_close(producer->link);
    free(producer->times);
    free(producer);
}

struct queue_name producer_queue(uint32_t partition)
{
    struct queue_name queue = {"allot.commands"};
    if (partition > 0)
        (void)snprintf(queue.text, sizeof queue.text, "allot.commands.%u", partition);
    return queue;
}

struct latency producer_latency(const struct producer *producer, size_t first)
{
    return latency_of(producer->times + first, producer->answered - first);
}

void producer_restart_stalls(struct producer *producer)
{
    producer->longest_stall = 0;
}

double producer_stall(const struct producer *producer)
{
    return producer->longest_stall;
}

/* Sends the next command. Its latency will count from `planned`. */
static void publish(struct producer *producer, double planned)
{
    struct load_command command = load_next(producer->options.load);
    struct uuid_text key = uuid_format(command.key);
    struct queue_name queue = producer_queue(command.partition);
    struct link_message message = {
        .queue = queue.text, .key = key.chars, .number = producer->sent, .body = command.body};
    if (producer->sent == producer->answered)
        producer->progress_at = bench_seconds();
    link_cork(producer->link, true);
    link_publish(producer->link, &message);
    producer->times[producer->sent++] = planned;
}

static void handle_reply(void *context, const struct link_reply *reply)
{
    struct producer *producer = context;
    double now = bench_seconds();
    if (!load_reply(producer->options.load, reply->number, reply->body, reply->length,
                    reply->replayed))
        return;
    producer->times[reply->number] = now - producer->times[reply->number];
    producer->answered++;
    if (now - producer->progress_at > producer->longest_stall)
        producer->longest_stall = now - producer->progress_at;
    producer->progress_at = now;
}

static void wait_for_replies(struct producer *producer, double seconds)
{
    link_cork(producer->link, false);
    bool arrived = link_wait(producer->link, seconds, handle_reply, producer);
    if (!arrived && seconds >= (double)SILENCE_SECONDS)
        bench_die("no reply for %d s", SILENCE_SECONDS);
}

/* Closed loop: sends until the window is full, then waits for replies. */
static void fill_window(struct producer *producer)
{
    const struct producer_options *options = &producer->options;
    while (producer->sent < options->commands &&
           producer->sent - producer->answered < options->window)
        publish(producer, bench_seconds());
    wait_for_replies(producer, SILENCE_SECONDS);
}

/* Open loop: sends all commands that are due, then waits for replies until the next one is due. The
   first command, number 0, was sent by producer_prime(). */
static void keep_schedule(struct producer *producer)
{
    const struct producer_options *options = &producer->options;
    double now = bench_seconds(), pause = SILENCE_SECONDS;
    if (producer->started <= 0)
        producer->started = now;
    while (producer->sent < options->commands) {
        double planned = producer->started + (double)(producer->sent - 1) / options->rate;
        pause = planned - now;
        if (pause > 0)
            break;
        publish(producer, planned);
        pause = SILENCE_SECONDS;
    }
    wait_for_replies(producer, pause);
}

void producer_prime(struct producer *producer)
{
    publish(producer, bench_seconds());
    while (producer->answered == 0)
        wait_for_replies(producer, SILENCE_SECONDS);
}

void producer_run(struct producer *producer, size_t answers)
{
    while (producer->answered < answers) {
        if (producer->options.rate > 0)
            keep_schedule(producer);
        else
            fill_window(producer);
    }
    /* At the end, the last confirms may be later than the last replies. */
    while (answers == producer->options.commands && link_confirmed(producer->link) < answers)
        wait_for_replies(producer, SILENCE_SECONDS);
}
