/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_CLI_RIG_H
#define KITH_TEST_CLI_RIG_H

/*
 * For the tests of the CLI: a process that answers on a Unix socket with what
 * it was told beforehand, and notes what it was asked.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    RIG_ANSWERS_MAX = 16,
    RIG_ASKED_SIZE = 1 << 17,
};

/* Whoever asks with something that begins so gets one of these: an answer as
 * it goes over the wire; a status and a body; or a stream of events. With none
 * of them the server hangs up. */
struct rig_answer {
    const char *ask; /* such as "GET /v1/id " */
    const char *raw;
    const char *status; /* "200 OK" ... */
    const char *body;   /* ... and what it comes with, or NULL */
    const char *events;
    bool stay;      /* leave the connection open until the client ends it */
    unsigned times; /* then the next that fits; 0: always */
};

/* Seen by both processes. */
struct rig_asked {
    size_t n; /* requests */
    size_t len;
    char last[RIG_ASKED_SIZE]; /* the last one, ended with NUL */
};

struct rig {
    char dir[64];
    char path[96];
    int listening;
    pid_t server;
    struct rig_asked *asked;
    char *out, *err; /* of the last command */
};

#define RIG_DONE "204 No Content"

/* A whole request is there. */
static inline bool rig_whole(const struct rig_asked *a)
{
    const char *end = strstr(a->last, "\r\n\r\n");
    const char *length = strstr(a->last, "Content-Length: ");

    return end != NULL && length != NULL &&
           a->len >=
               (size_t)(end + 4 - a->last) + strtoul(length + 16, NULL, 10);
}

static inline const struct rig_answer *rig_find(struct rig_answer *answers,
                                                size_t n, const char *request)
{
    static const struct rig_answer other = {.status = "500 x"};

    for (size_t i = 0; i < n; i++) {
        struct rig_answer *a = &answers[i];

        if (strncmp(request, a->ask, strlen(a->ask)) != 0 ||
            a->times == UINT32_MAX)
            continue;
        if (a->times > 0 && --a->times == 0)
            a->times = UINT32_MAX; /* used up */
        return a;
    }
    return &other;
}

static inline void rig_write(int fd, const struct rig_answer *a)
{
    static const char hello[] = ": events\n\n";

    if (a->raw != NULL)
        dprintf(fd, "%s", a->raw);
    else if (a->events != NULL)
        dprintf(fd,
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                "%zx\r\n%s\r\n%zx\r\n%s\r\n%s",
                strlen(hello), hello, strlen(a->events), a->events,
                a->stay ? "" : "0\r\n\r\n");
    else if (a->body != NULL)
        dprintf(fd, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", a->status,
                strlen(a->body), a->body);
    else if (a->status != NULL)
        dprintf(fd, "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", a->status);
}

/* One connection, in the server. */
static inline void rig_serve(struct rig *r, struct rig_answer *answers,
                             size_t n, int fd)
{
    struct rig_asked *a = r->asked;
    ssize_t got = 1;
    char end;

    a->len = 0;
    a->last[0] = '\0';
    while (got > 0 && !rig_whole(a)) {
        got = read(fd, a->last + a->len, RIG_ASKED_SIZE - 1 - a->len);
        a->len += got > 0 ? (size_t)got : 0;
        a->last[a->len] = '\0';
    }
    a->n++;
    const struct rig_answer *answer = rig_find(answers, n, a->last);
    rig_write(fd, answer);
    if (answer->stay && fork() == 0) { /* others are served meanwhile */
        (void)!read(fd, &end, 1);
        _exit(0);
    }
    close(fd);
}

/* Starts to answer. */
static inline void rig_answer(struct rig *r, const struct rig_answer *answers,
                              size_t n)
{
    struct rig_answer copy[RIG_ANSWERS_MAX];

    assert_true(n <= RIG_ANSWERS_MAX);
    memcpy(copy, answers, n * sizeof *answers);
    r->asked->n = 0;
    r->server = fork();
    assert_true(r->server >= 0);
    if (r->server > 0)
        return;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    for (;;)
        rig_serve(r, copy, n, accept(r->listening, NULL, NULL));
}

#define RIG_ANSWER(r, ...)                                                     \
    rig_answer((r), (const struct rig_answer[]){__VA_ARGS__},                  \
               sizeof((const struct rig_answer[]){__VA_ARGS__}) /              \
                   sizeof(struct rig_answer))

static inline void rig_stop(struct rig *r)
{
    if (r->server == 0)
        return;
    kill(r->server, SIGKILL);
    waitpid(r->server, NULL, 0);
    r->server = 0;
}

static inline int rig_setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    assert_non_null(r);
    snprintf(r->dir, sizeof r->dir, "/tmp/kith-cli-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->path, sizeof r->path, "%s/kith.sock", r->dir);
    memcpy(at.sun_path, r->path, strlen(r->path) + 1);
    r->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->listening, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(r->listening, 16), 0);
    r->asked = mmap(NULL, sizeof *r->asked, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(r->asked != MAP_FAILED);
    *state = r;
    return 0;
}

static inline int rig_teardown(void **state)
{
    struct rig *r = *state;

    rig_stop(r);
    close(r->listening);
    unlink(r->path);
    rmdir(r->dir);
    munmap(r->asked, sizeof *r->asked);
    free(r->out);
    free(r->err);
    free(r);
    return 0;
}

#endif
