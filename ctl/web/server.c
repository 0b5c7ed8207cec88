/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Design. libmicrohttpd reads and writes all connections in its own thread (epoll), and calls
 * handle() there: first when the headers have come, then for each part of the body, then at the end
 * of the request. What needs neither the database nor the broker is answered there. For all else
 * the connection is suspended, and the request waits in a queue for the desk thread, which makes
 * the page and resumes the connection; then handle() is called once more, and sends the page.
 *
 *   thread of libmicrohttpd   handle() -> begin, receive, answer
 *   desk thread               desk_thread() -> take_waiting, finish
 *
 * Guarantees.
 * - A request belongs to the thread of libmicrohttpd, except from submit() to finish(), while its
 *   connection is suspended. Suspended connections are neither closed nor timed out.
 * - No connection is suspended when libmicrohttpd is stopped, which its API demands: the desk
 * thread is ended before, and it resumes what waits. After `ending` nothing is suspended any more.
 * - What a request allocates is in its arena, and is bounded: the headers by
 *   SERVER_HEADERS_BYTES_MAX, the form by SERVER_FORM_BYTES_MAX.
 *
 * What the versions of libmicrohttpd (0.9.75 in Debian 12, 1.0 in Debian 13) have in common is used
 * only: a raw request line, since 0.9.75 decodes the path and the query by its own rules; and a
 * listening socket of our own, whose port is known before the first request.
 */
#include "ctl/web/server.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "allot/transport.h"
#include "common/base/memory.h"
#include "ctl/web/page.h"

enum { BACKLOG = 128, FIRST_BODY_BYTES = 16 * 1024 };

enum stage {
    STAGE_NEW,       /* the headers have not come */
    STAGE_RECEIVING, /* the body comes */
    STAGE_WAITING,   /* for the desk thread; the connection is suspended */
    STAGE_ANSWERED   /* `response` is set */
};

struct exchange {
    struct web_request request;
    struct text target; /* of the request line */
    struct MHD_Connection *connection;
    const struct site_route *route;
    enum stage stage;
    struct web_response response;
    char *body; /* in the arena */
    size_t body_length;
    size_t body_capacity;
    struct exchange *next; /* that waits */
};

/* What libmicrohttpd keeps for a connection. */
struct link {
    struct exchange *exchange; /* the current one; owned */
};

struct server {
    int socket; /* owned, until libmicrohttpd has it */
    const struct site *site;
    struct MHD_Daemon *daemon;
    pthread_t desk;
    bool has_desk;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    struct exchange *first, *last; /* that wait */
    size_t waiting;
    bool ending;
};

/* --- the desk thread ------------------------------------------------------------------------ */

/* Returns the next request, or NULL at the end. */
static struct exchange *take_waiting(struct server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    while (server->first == NULL && !server->ending)
        (void)pthread_cond_wait(&server->wake, &server->lock);
    struct exchange *exchange = server->first;
    if (exchange != NULL) {
        server->first = exchange->next;
        server->waiting--;
    }
    (void)pthread_mutex_unlock(&server->lock);
    return exchange;
}

static bool is_ending(struct server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    bool ending = server->ending;
    (void)pthread_mutex_unlock(&server->lock);
    return ending;
}

static void finish(struct exchange *exchange, struct web_response response)
{
    exchange->response = response;
    exchange->stage = STAGE_ANSWERED;
    MHD_resume_connection(exchange->connection);
}

static void *desk_thread(void *context)
{
    struct server *server = context;
    struct exchange *exchange = NULL;
    while ((exchange = take_waiting(server)) != NULL) {
        const struct web_request *request = &exchange->request;
        finish(exchange, is_ending(server) ? page_error(server->site, request, HTTP_UNAVAILABLE,
                                                        "'allotctl web' is being stopped.")
                                           : exchange->route->page(server->site, request));
    }
    return NULL;
}

/* Suspends the connection. Returns false if too many wait, or the server ends. */
static bool submit(struct server *server, struct exchange *exchange)
{
    (void)pthread_mutex_lock(&server->lock);
    bool accepted = !server->ending && server->waiting < SERVER_WAITING_MAX;
    if (accepted) {
        MHD_suspend_connection(exchange->connection);
        exchange->stage = STAGE_WAITING;
        exchange->next = NULL;
        if (server->first == NULL)
            server->first = exchange;
        else
            server->last->next = exchange;
        server->last = exchange;
        server->waiting++;
        (void)pthread_cond_signal(&server->wake);
    }
    (void)pthread_mutex_unlock(&server->lock);
    return accepted;
}

/* --- a request ------------------------------------------------------------------------------ */

static void answer(struct exchange *exchange, struct web_response response)
{
    exchange->response = response;
    exchange->stage = STAGE_ANSWERED;
}

static void answer_error(const struct server *server, struct exchange *exchange, unsigned status,
                         const char *text)
{
    answer(exchange, page_error(server->site, &exchange->request, status, text));
}

/* Without the token nothing is shown, not even how the site looks. */
static struct web_response refusal(const struct web_request *request, enum guard_answer answered)
{
    struct text text = text_format(request->arena, "%s\n", guard_text(answered));
    return (struct web_response){.status = guard_status(answered),
                                 .type = RESPONSE_PLAIN,
                                 .body = text,
                                 .allow = answered == GUARD_BAD_METHOD ? "GET, HEAD, POST" : NULL};
}

static struct web_response login(const struct web_request *request)
{
    struct web_response response = page_redirect(request, "/", TEXT_NONE);
    response.login = true;
    return response;
}

static enum web_method method_of(const char *name)
{
    return strcmp(name, "GET") == 0    ? WEB_GET
           : strcmp(name, "HEAD") == 0 ? WEB_HEAD
           : strcmp(name, "POST") == 0 ? WEB_POST
                                       : WEB_OTHER;
}

struct header_search {
    const char *name;
    const char *value;
    size_t count;
};

static enum MHD_Result note_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct header_search *search = context;
    (void)kind;
    if (strcasecmp(name, search->name) == 0) {
        search->value = value;
        search->count++;
    }
    return MHD_YES;
}

/* A header that is sent twice counts as absent: who decides by it would not know which one. */
static struct text header(struct exchange *exchange, const char *name)
{
    struct header_search search = {.name = name};
    (void)MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, note_header, &search);
    return search.count == 1 ? text_copy(exchange->request.arena, text_of(search.value))
                             : TEXT_NONE;
}

static void read_headers(struct exchange *exchange, const char *method)
{
    struct web_request *request = &exchange->request;
    request->method = method_of(method);
    request->host = header(exchange, "Host");
    request->origin = header(exchange, "Origin");
    request->cookie = header(exchange, "Cookie");
    request->fetch_site = header(exchange, "Sec-Fetch-Site");
    request->content_type = header(exchange, "Content-Type");
}

static bool announces_too_much(struct exchange *exchange)
{
    struct text length = header(exchange, "Content-Length");
    return length.bytes != NULL &&
           strtoull(length.bytes, NULL, 10) > (unsigned long long)SERVER_FORM_BYTES_MAX;
}

/* Decides by the headers, before anything of the body is kept. */
static void begin(const struct server *server, struct exchange *exchange, const char *method)
{
    struct web_request *request = &exchange->request;
    exchange->stage = STAGE_RECEIVING;
    read_headers(exchange, method);
    bool read = request_read_target(request, exchange->target);
    enum guard_answer answered = guard_check(&server->site->guard, request);
    struct web_response refused;
    if (answered == GUARD_LOGIN)
        answer(exchange, login(request));
    else if (answered != GUARD_ALLOWED)
        answer(exchange, refusal(request, answered));
    else if (!read)
        answer_error(server, exchange, HTTP_BAD_REQUEST, "The address is not valid.");
    else if ((exchange->route = site_find(server->site, request, &refused)) == NULL)
        answer(exchange, refused);
    else if (announces_too_much(exchange))
        answer_error(server, exchange, HTTP_TOO_LARGE, "The form is too large.");
}

static void receive(const struct server *server, struct exchange *exchange, const char *bytes,
                    size_t length)
{
    if (exchange->stage != STAGE_RECEIVING)
        return;
    if (length > SERVER_FORM_BYTES_MAX - exchange->body_length) {
        answer_error(server, exchange, HTTP_TOO_LARGE, "The form is too large.");
        return;
    }
    while (exchange->body_capacity - exchange->body_length < length) {
        size_t capacity =
            exchange->body_capacity > 0 ? 2 * exchange->body_capacity : FIRST_BODY_BYTES;
        char *larger = arena_alloc(exchange->request.arena, capacity);
        if (exchange->body_length > 0)
            memcpy(larger, exchange->body, exchange->body_length);
        exchange->body = larger;
        exchange->body_capacity = capacity;
    }
    memcpy(exchange->body + exchange->body_length, bytes, length);
    exchange->body_length += length;
}

/* Reads the form of a POST; if it is refused, sets the answer. */
static void read_form(const struct server *server, struct exchange *exchange)
{
    struct web_request *request = &exchange->request;
    if (request->method != WEB_POST)
        return;
    if (!request_read_form(request, text_view(exchange->body, exchange->body_length))) {
        answer_error(server, exchange, HTTP_BAD_REQUEST, "The form is not valid.");
        return;
    }
    enum guard_answer answered = guard_check_form(&server->site->guard, &request->form);
    if (answered != GUARD_ALLOWED)
        answer_error(server, exchange, guard_status(answered), guard_text(answered));
}

/* The request is complete: answers it, or hands it to the desk thread. Returns whether it is
   answered; if not, the exchange is the desk thread's, and may not be looked at. */
static bool complete(struct server *server, struct exchange *exchange)
{
    if (exchange->stage == STAGE_RECEIVING)
        read_form(server, exchange);
    if (exchange->stage == STAGE_ANSWERED)
        return true;
    if (exchange->route->quick)
        answer(exchange, exchange->route->page(server->site, &exchange->request));
    else if (submit(server, exchange))
        return false;
    else
        answer_error(server, exchange, HTTP_UNAVAILABLE,
                     "Too many requests wait for the database. Reload the page.");
    return true;
}

/* --- the response --------------------------------------------------------------------------- */

static const char *type_name(enum response_type type)
{
    switch (type) {
#define X(id, name)                                                                                \
    case RESPONSE_##id: return name;
        RESPONSE_TYPES(X)
#undef X
    }
    return "";
}

static const char *const fixed_headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
     "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    /* With no-referrer, browsers send `Origin: null` with a form. */
    {"Referrer-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"X-Robots-Tag", "noindex"},
};

static void add_header(struct MHD_Response *made, const char *name, const char *value)
{
    (void)MHD_add_response_header(made, name, value);
}

static void add_headers(const struct server *server, struct MHD_Response *made,
                        const struct web_response *response, struct arena *arena)
{
    const struct guard *guard = &server->site->guard;
    for (size_t i = 0; i < sizeof fixed_headers / sizeof fixed_headers[0]; i++)
        add_header(made, fixed_headers[i][0], fixed_headers[i][1]);
    add_header(made, "Content-Type", type_name(response->type));
    add_header(made, "Cache-Control",
               response->cacheable ? "private, max-age=31536000, immutable" : "no-store");
    if (text_present(response->location))
        add_header(made, "Location", response->location.bytes);
    if (response->allow != NULL)
        add_header(made, "Allow", response->allow);
    if (text_present(response->file_name))
        add_header(
            made, "Content-Disposition",
            text_format(arena, "attachment; filename=\"%.*s\"", TEXT_ARGS(response->file_name))
                .bytes);
    if (response->login)
        add_header(made, "Set-Cookie",
                   text_format(arena, "%s=%s; HttpOnly; SameSite=Strict; Path=/", guard->cookie,
                               guard->session)
                       .bytes);
}

/* libmicrohttpd copies the body, since it may send it after the request is freed. */
static enum MHD_Result send_response(const struct server *server, struct exchange *exchange)
{
    const struct web_response *response = &exchange->response;
    char nothing[1] = "";
    struct MHD_Response *made = MHD_create_response_from_buffer(
        response->body.length,
        response->body.length > 0 ? (void *)(uintptr_t)response->body.bytes : nothing,
        MHD_RESPMEM_MUST_COPY);
    if (made == NULL)
        return MHD_NO;
    add_headers(server, made, response, exchange->request.arena);
    enum MHD_Result result = MHD_queue_response(exchange->connection, response->status, made);
    MHD_destroy_response(made);
    return result;
}

/* --- libmicrohttpd -------------------------------------------------------------------------- */

static struct link *link_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

static void drop_exchange(struct link *link)
{
    if (link->exchange != NULL)
        arena_free(link->exchange->request.arena);
    link->exchange = NULL;
}

static void note_connection(void *context, struct MHD_Connection *connection, void **ret_link,
                            enum MHD_ConnectionNotificationCode code)
{
    struct link *link = *ret_link;
    (void)context;
    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *ret_link = MEMORY_NEW(struct link);
        return;
    }
    drop_exchange(link);
    free(link);
}

/* Called with the request line, before the headers have come. What it returns is the context of the
   request. */
static void *begin_exchange(void *context, const char *target, struct MHD_Connection *connection)
{
    struct link *link = link_of(connection);
    (void)context;
    drop_exchange(link);
    struct arena *arena = arena_new(0);
    struct exchange *exchange = ARENA_NEW(arena, struct exchange);
    exchange->connection = connection;
    exchange->request.arena = arena;
    exchange->target = text_copy(arena, text_of(target));
    link->exchange = exchange;
    return exchange;
}

/* Not called for some requests that libmicrohttpd answers itself (0.9.75, a query that its memory
   does not hold): those are freed with the next request, or with the connection. */
static void end_exchange(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)code;
    drop_exchange(link_of(connection));
    *request = NULL;
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are those of libmicrohttpd */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_length, void **request)
{
    struct server *server = context;
    struct exchange *exchange = *request;
    (void)connection;
    (void)url;
    (void)version;
    if (exchange->stage == STAGE_NEW) {
        begin(server, exchange, method);
        /* Refused by its headers: the body need not come. */
        return exchange->stage == STAGE_ANSWERED ? send_response(server, exchange) : MHD_YES;
    }
    if (*upload_length > 0) {
        receive(server, exchange, upload, *upload_length);
        *upload_length = 0;
        return MHD_YES;
    }
    return complete(server, exchange) ? send_response(server, exchange) : MHD_YES;
}

/* --- life cycle ----------------------------------------------------------------------------- */

static bool bind_socket(int socket_fd, struct address *address, struct error *error)
{
    const int on = 1;
    socklen_t length = sizeof address->socket;
    (void)setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(socket_fd, &address->socket.any,
             address->socket.any.sa_family == AF_INET ? sizeof address->socket.v4
                                                      : sizeof address->socket.v6) == 0 &&
        listen(socket_fd, BACKLOG) == 0 &&
        getsockname(socket_fd, &address->socket.any, &length) == 0)
        return true;
    char text[ADDRESS_TEXT_MAX];
    int cause = errno;
    address_format(address, text);
    error_set(error, "cannot listen on %s: %s; choose another with --listen", text,
              strerror(cause));
    return false;
}

struct server *server_listen(struct address *address, struct error *error)
{
    int socket_fd =
        socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket_fd < 0) {
        error_set(error, "cannot make a socket: %s", strerror(errno));
        return NULL;
    }
    if (!bind_socket(socket_fd, address, error)) {
        (void)close(socket_fd);
        return NULL;
    }
    struct server *server = MEMORY_NEW(struct server);
    server->socket = socket_fd;
    (void)pthread_mutex_init(&server->lock, NULL);
    (void)pthread_cond_init(&server->wake, NULL);
    return server;
}

/* Replays and edits use librabbitmq, which needs the stack. */
static bool start_desk(struct server *server, struct error *error)
{
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, TRANSPORT_STACK_BYTES);
    int cause = pthread_create(&server->desk, &attributes, desk_thread, server);
    (void)pthread_attr_destroy(&attributes);
    server->has_desk = cause == 0;
    if (cause != 0)
        error_set(error, "cannot start a thread: %s", strerror(cause));
    return cause == 0;
}

bool server_run(struct server *server, const struct site *site, struct error *error)
{
    server->site = site;
    if (!start_desk(server, error))
        return false;
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, server,
        MHD_OPTION_LISTEN_SOCKET, server->socket, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)SERVER_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SERVER_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVER_HEADERS_BYTES_MAX,
        MHD_OPTION_URI_LOG_CALLBACK, begin_exchange, server, MHD_OPTION_NOTIFY_COMPLETED,
        end_exchange, server, MHD_OPTION_NOTIFY_CONNECTION, note_connection, server,
        MHD_OPTION_END);
    if (server->daemon == NULL)
        error_set(error, "cannot start the HTTP server");
    else
        server->socket = -1;
    return server->daemon != NULL;
}

static void end_desk(struct server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    server->ending = true;
    (void)pthread_cond_broadcast(&server->wake);
    (void)pthread_mutex_unlock(&server->lock);
    if (server->has_desk)
        (void)pthread_join(server->desk, NULL);
}

void server_free(struct server *server)
{
    if (server == NULL)
        return;
    end_desk(server);
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon);
    if (server->socket >= 0)
        (void)close(server->socket);
    (void)pthread_cond_destroy(&server->wake);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
}
