/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "api_rig.h"

enum {
    STREAMS = 32, /* that are allowed at a time */
};

static const char ask[] = "GET /v1/events HTTP/1.1\r\nHost: kith\r\n\r\n";

/* Begins to listen, and sees that it does. */
static int listen_in(struct rig *r)
{
    int fd = rig_connect(r);

    rig_send(r, fd, ask, strlen(ask));
    r->answer_len = 0;
    assert_true(rig_read(r, fd, ": events\n\n"));
    assert_int_equal(strncmp(r->answer, "HTTP/1.1 200 ", 13), 0);
    assert_non_null(strstr(r->answer, "Content-Type: text/event-stream\r\n"));
    r->answer_len = 0;
    return fd;
}

/* Something happens. */
static void emit(struct rig *r, const char *text)
{
    struct agent_event e = {.seq = ++r->agent.seq, .type = NOTE_JOINED};

    snprintf(e.text, sizeof e.text, "%s", text);
    r->agent.listener(r->agent.listener_arg, &e);
}

static void test_events(void **state)
{
    struct rig *r = *state;
    int fd;

    emit(r, "nobody hears this");
    fd = listen_in(r);
    emit(r, "one");
    emit(r, "two");
    assert_true(rig_read(r, fd, "\"two\""));
    assert_null(strstr(r->answer, "nobody"));
    assert_non_null(strstr(r->answer, "id: 2\ndata: {\"seq\":2,"));
    assert_non_null(strstr(r->answer, "\"one\"}\n\n\r\n"));
    assert_non_null(strstr(r->answer, "id: 3\ndata: {\"seq\":3,"));
    close(fd);
}

static void test_several(void **state)
{
    struct rig *r = *state;
    int a = listen_in(r), b = listen_in(r), c = listen_in(r);

    emit(r, "one");
    assert_true(rig_read(r, a, "\"one\""));
    r->answer_len = 0;
    assert_true(rig_read(r, c, "\"one\""));
    /* the one in the middle hangs up */
    close(b);
    emit(r, "two");
    r->answer_len = 0;
    assert_true(rig_read(r, a, "\"two\""));
    emit(r, "three");
    r->answer_len = 0;
    assert_true(rig_read(r, c, "\"three\""));
    close(a);
    close(c);
}

/* HTTP/1.0 has no chunks. */
static void test_old_client(void **state)
{
    static const char old[] = "GET /v1/events HTTP/1.0\r\n\r\n";
    struct rig *r = *state;
    int fd = rig_connect(r);

    rig_send(r, fd, old, strlen(old));
    r->answer_len = 0;
    assert_true(rig_read(r, fd, "\r\n\r\n: events\n\n"));
    emit(r, "one");
    assert_true(rig_read(r, fd, "\"one\"}\n\n"));
    assert_null(strstr(r->answer, "chunked"));
    close(fd);
}

/* What a listener says does not matter, nor does it fill the memory. */
static void test_talkative(void **state)
{
    struct rig *r = *state;
    int fd = listen_in(r);
    static char noise[1 << 20];

    memset(noise, 'x', sizeof noise);
    for (int i = 0; i < 10; i++) {
        (void)!send(fd, noise, sizeof noise, MSG_DONTWAIT | MSG_NOSIGNAL);
        event_base_loop(r->base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(send(fd, noise, sizeof noise, MSG_DONTWAIT), -1);
    emit(r, "one");
    assert_true(rig_read(r, fd, "\"one\""));
    close(fd);
}

static void test_unread(void **state)
{
    struct rig *r = *state;
    int lazy = listen_in(r), keen = listen_in(r);
    bool ended = false;

    for (int i = 0; i < 20000 && !ended; i++) {
        emit(r, "a line of text that makes the event somewhat longer");
        if (i % 100 == 0) {
            r->answer_len = 0;
            rig_read(r, keen, "longer");
        }
        r->answer_len = 0;
        while (recv(keen, r->answer, RIG_ANSWER_MAX, MSG_DONTWAIT) > 0)
            continue;
    }
    r->answer_len = 0;
    assert_true(rig_read(r, lazy, NULL));
    emit(r, "still there");
    r->answer_len = 0;
    assert_true(rig_read(r, keen, "still there"));
    close(lazy);
    close(keen);
}

static void test_too_many(void **state)
{
    struct rig *r = *state;
    int fds[STREAMS];

    for (size_t i = 0; i < STREAMS; i++)
        fds[i] = listen_in(r);
    rig_get(r, "/v1/events");
    rig_assert_error(r, 503, "32 clients");
    close(fds[0]);
    event_base_loop(r->base, EVLOOP_NONBLOCK);
    event_base_loop(r->base, EVLOOP_NONBLOCK);
    fds[0] = listen_in(r);
    /* the API ends while they listen */
    for (size_t i = 0; i < STREAMS; i++)
        close(fds[i]);
}

/* Ends with listeners that are still there. */
static void test_end(void **state)
{
    struct rig *r = *state;
    int fd = listen_in(r), other = listen_in(r);
    char message[256];

    emit(r, "one");
    api_free(r->api);
    r->api = NULL;
    assert_true(rig_read(r, fd, NULL));
    close(fd);
    close(other);
    r->api =
        api_new(&r->agent, r->base, r->path, NULL, message, sizeof message);
    assert_non_null(r->api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_several, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_old_client, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_talkative, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_unread, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_too_many, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_end, rig_setup, rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
