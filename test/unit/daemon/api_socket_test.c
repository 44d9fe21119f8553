/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/error.h"
#include "daemon/api_socket.h"

struct fixture {
    char dir[64];
    char path[96];
    char message[512];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/kith-socket-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/run/kith.sock", f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char run[96];

    snprintf(run, sizeof run, "%s/run", f->dir);
    unlink(f->path);
    rmdir(run);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

static int open_socket(struct fixture *f, struct api_socket *s)
{
    return api_socket_open(f->path, s, f->message, sizeof f->message);
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static int connect_to(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

static void test_modes(void **state)
{
    struct fixture *f = *state;
    struct api_socket s;
    mode_t before = umask(0);
    char run[96];

    assert_int_equal(open_socket(f, &s), KITH_OK);
    snprintf(run, sizeof run, "%s/run", f->dir);
    assert_int_equal(mode_of(run), 0755);
    assert_int_equal(mode_of(f->path), 0660);
    /* the umask is as it was */
    assert_int_equal(umask(before), 0);
    int fd = connect_to(f->path);
    assert_true(fd >= 0);
    close(fd);
    api_socket_close(&s);
    assert_int_equal(access(f->path, F_OK), -1);
}

static void test_live(void **state)
{
    struct fixture *f = *state;
    struct api_socket s, other;

    assert_int_equal(open_socket(f, &s), KITH_OK);
    assert_int_equal(open_socket(f, &other), KITH_ERR_UNWANTED);
    assert_non_null(strstr(f->message, "another daemon answers"));
    assert_non_null(strstr(f->message, f->path));
    int fd = connect_to(f->path);
    assert_true(fd >= 0);
    close(fd);
    api_socket_close(&s);
}

/* As a daemon leaves it that was killed. */
static void test_dead(void **state)
{
    struct fixture *f = *state;
    struct api_socket s, next;

    assert_int_equal(open_socket(f, &s), KITH_OK);
    close(s.fd);
    s.fd = -1;
    assert_int_equal(connect_to(f->path), -1);
    assert_int_equal(open_socket(f, &next), KITH_OK);
    int fd = connect_to(f->path);
    assert_true(fd >= 0);
    close(fd);
    api_socket_close(&next);
    assert_int_equal(access(f->path, F_OK), -1);
}

/* The file is another's now: the first leaves it alone. */
static void test_replaced(void **state)
{
    struct fixture *f = *state;
    struct api_socket s, next;

    assert_int_equal(open_socket(f, &s), KITH_OK);
    unlink(f->path);
    assert_int_equal(open_socket(f, &next), KITH_OK);
    api_socket_close(&s);
    assert_int_equal(access(f->path, F_OK), 0);
    api_socket_close(&next);
    assert_int_equal(access(f->path, F_OK), -1);
}

static void test_no_socket(void **state)
{
    struct fixture *f = *state;
    struct api_socket s;
    char run[96];

    snprintf(run, sizeof run, "%s/run", f->dir);
    assert_int_equal(mkdir(run, 0700), 0);
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(open_socket(f, &s), KITH_ERR_UNWANTED);
    assert_non_null(strstr(f->message, "no socket"));
    assert_int_equal(access(f->path, F_OK), 0);
    unlink(f->path);
    /* nor is a link to something else followed */
    assert_int_equal(symlink("/dev/null", f->path), 0);
    assert_int_equal(open_socket(f, &s), KITH_ERR_UNWANTED);
}

static void test_bad_paths(void **state)
{
    char message[512], path[CONF_SOCKET_SIZE + 8];
    struct api_socket s;

    (void)state;
    assert_int_equal(api_socket_open("", &s, message, sizeof message),
                     KITH_ERR_RANGE);
    memset(path, 'x', sizeof path);
    path[CONF_SOCKET_SIZE] = '\0';
    assert_int_equal(api_socket_open(path, &s, message, sizeof message),
                     KITH_ERR_RANGE);
    assert_non_null(strstr(message, "107"));
    assert_int_equal(
        api_socket_open("/nonexistent/a/b.sock", &s, message, sizeof message),
        KITH_ERR_IO);
    assert_non_null(strstr(message, "/nonexistent/a"));
    assert_int_equal(s.fd, -1);
}

static void test_allows(void **state)
{
    enum {
        KITHD = 100,
        GROUP = 200,
        ALICE = 1000
    };
    const gid_t groups[] = {7, GROUP};
    struct api_socket_peer root = {0, 0, NULL, 0};
    struct api_socket_peer own = {KITHD, 5, NULL, 0};
    struct api_socket_peer first = {ALICE, GROUP, NULL, 0};
    struct api_socket_peer member = {ALICE, ALICE, groups, 2};
    struct api_socket_peer stranger = {ALICE, ALICE, groups, 1};

    (void)state;
    assert_true(api_socket_allows(&root, KITHD, 0600, GROUP));
    assert_true(api_socket_allows(&own, KITHD, 0600, GROUP));
    assert_true(api_socket_allows(&first, KITHD, 0660, GROUP));
    assert_true(api_socket_allows(&member, KITHD, 0660, GROUP));
    assert_false(api_socket_allows(&stranger, KITHD, 0660, GROUP));
    assert_false(api_socket_allows(&first, KITHD, 0600, GROUP));
    assert_false(api_socket_allows(&member, KITHD, 0640, GROUP));
    /* a socket for all the world is a mistake */
    assert_false(api_socket_allows(&stranger, KITHD, 0666, GROUP));
}

/* We are the user that the daemon runs as. */
static void test_check(void **state)
{
    struct fixture *f = *state;
    struct api_socket s;

    assert_int_equal(open_socket(f, &s), KITH_OK);
    int fd = connect_to(f->path);
    assert_true(fd >= 0);
    int accepted = accept(s.fd, NULL, NULL);
    assert_true(accepted >= 0);
    assert_int_equal(api_socket_check(&s, accepted), KITH_OK);
    assert_int_equal(api_socket_check(&s, -1), KITH_ERR_IO);
    close(accepted);
    close(fd);
    api_socket_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_live, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_socket, setup, teardown),
        cmocka_unit_test(test_bad_paths),
        cmocka_unit_test(test_allows),
        cmocka_unit_test_setup_teardown(test_check, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
