/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_producer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/bench_link.h"

enum { SILENCE_SECONDS = 180 };

struct producer {
    struct producer_options options;
    struct link *link;
    size_t sent, answered;
    double *planned; /* when each command was to be sent, or was; then its latency */
    double started;  /* the schedule; 0: not yet */
    double progress; /* the last answer, or the first command after all were answered */
    double watchdog;
};

struct producer *producer_open(const struct producer_options *options)
{
    struct producer *producer = bench_array(1, sizeof *producer);
    char queue[64]; /* our own: what a run that died was still to hear is not for us */
    producer->options = *options;
    producer->planned = bench_array(options->commands, sizeof *producer->planned);
    (void)snprintf(queue, sizeof queue, CLAIM_PRINCIPAL ".bench.%d", (int)getpid());
    producer->link = link_open(options->uri, queue);
    return producer;
}

void producer_close(struct producer *producer)
{
    link_close(producer->link);
    free(producer->planned);
    free(producer);
}

struct queue_name producer_queue(uint32_t lot)
{
    struct queue_name queue = {"allot.commands"};
    if (lot > 0)
        (void)snprintf(queue.text, sizeof queue.text, "allot.commands.%u", lot);
    return queue;
}

struct latency producer_latency(const struct producer *producer, size_t first)
{
    return latency_of(producer->planned + first, producer->answered - first);
}

void producer_restart_stalls(struct producer *producer)
{
    producer->watchdog = 0;
}

double producer_stall(const struct producer *producer)
{
    return producer->watchdog;
}

static void publish(struct producer *producer, double planned)
{
    struct load_command command = load_next(producer->options.load);
    struct uuid_text key = uuid_format(command.key);
    struct queue_name queue = producer_queue(command.lot);
    struct link_message message = {
        .queue = queue.text, .key = key.chars, .number = producer->sent, .body = command.body};
    if (producer->sent == producer->answered)
        producer->progress = bench_seconds();
    link_hold(producer->link, true);
    link_publish(producer->link, &message);
    producer->planned[producer->sent++] = planned;
}

static void take_reply(void *context, const struct link_reply *reply)
{
    struct producer *producer = context;
    double now = bench_seconds();
    if (!load_reply(producer->options.load, reply->number, reply->body, reply->length,
                    reply->replayed))
        return;
    producer->planned[reply->number] = now - producer->planned[reply->number];
    producer->answered++;
    if (now - producer->progress > producer->watchdog)
        producer->watchdog = now - producer->progress;
    producer->progress = now;
}

static void wait(struct producer *producer, double seconds)
{
    link_hold(producer->link, false);
    bool some = link_wait(producer->link, seconds, take_reply, producer);
    if (!some && seconds >= SILENCE_SECONDS)
        bench_die("no reply for %d s", SILENCE_SECONDS);
}

static void fill_window(struct producer *producer)
{
    const struct producer_options *options = &producer->options;
    while (producer->sent < options->commands &&
           producer->sent - producer->answered < options->window)
        publish(producer, bench_seconds());
    wait(producer, SILENCE_SECONDS);
}

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
    wait(producer, pause);
}

void producer_prime(struct producer *producer)
{
    publish(producer, bench_seconds());
    while (producer->answered == 0)
        wait(producer, SILENCE_SECONDS);
}

void producer_run(struct producer *producer, size_t answers)
{
    while (producer->answered < answers) {
        if (producer->options.rate > 0)
            keep_schedule(producer);
        else
            fill_window(producer);
    }
    while (answers == producer->options.commands && link_confirmed(producer->link) < answers)
        wait(producer, SILENCE_SECONDS);
}
