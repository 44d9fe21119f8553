/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/prng.h"

/*
 * A main() for a fuzzer where there is no libFuzzer: runs it on every file
 * given, and on every file in the folders given, then on mutations of them.
 *
 *     X_fuzz [--seed N] [--runs N] [--only RUN] FILE|FOLDER...
 *
 * Each run depends on the seed and its own number alone. The work is done in
 * a child, so that whatever kills it, the parent can say how to repeat it:
 * --only RUN does nothing but that one mutation.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MAX = 65536, /* bytes of a mutation */
    FILE_MAX = 1 << 20,
    CORPUS_MAX = 1000, /* files */
    RUNS_DEFAULT = 20000,
    SEED_DEFAULT = 1,
    MUTATIONS_MAX = 8, /* of one input */
};

struct input {
    char *path;
    uint8_t *p;
    size_t n;
};

struct corpus {
    struct input *input;
    size_t n;
};

/* What the child is at, for the parent to read. */
struct progress {
    bool mutating;
    uint64_t at; /* index of a file, or number of a run */
};

struct options {
    uint64_t seed;
    uint64_t first; /* runs first .. end - 1 */
    uint64_t end;
    bool files; /* run the files as they are, too */
};

static void die(const char *what, const char *which)
{
    fprintf(stderr, "replay: %s: %s\n", which, what);
    exit(2);
}

/* -- Corpus. -- */

static void add_file(struct corpus *c, const char *path)
{
    struct input *input;
    FILE *f = fopen(path, "rb");

    if (f == NULL)
        die("cannot be opened", path);
    if (c->n == CORPUS_MAX)
        die("too many files", path);
    input = &c->input[c->n++];
    input->path = strdup(path);
    input->p = malloc(FILE_MAX);
    if (input->path == NULL || input->p == NULL)
        die("out of memory", path);
    input->n = fread(input->p, 1, FILE_MAX, f);
    fclose(f);
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void add_path(struct corpus *c, const char *path)
{
    struct dirent **names;
    struct stat st;
    int n;

    if (stat(path, &st) != 0)
        return; /* a fuzzer that has no corpus yet */
    if (!S_ISDIR(st.st_mode)) {
        add_file(c, path);
        return;
    }
    n = scandir(path, &names, is_shown, alphasort);
    if (n < 0)
        die("cannot be read", path);
    for (int i = 0; i < n; i++) {
        char file[4096];

        snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        add_file(c, file);
        free(names[i]);
    }
    free(names);
}

static void free_corpus(struct corpus *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->input[i].path);
        free(c->input[i].p);
    }
    free(c->input);
}

/* -- Mutations of the n bytes at p, of INPUT_MAX that are there. -- */

static void change_byte(struct prng *r, uint8_t *p, size_t n)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff};
    size_t at;

    if (n == 0)
        return;
    at = prng_below(r, n);
    switch (prng_below(r, 4)) {
    case 0:
        p[at] ^= (uint8_t)(1 << prng_below(r, 8));
        break;
    case 1:
        p[at] = edges[prng_below(r, sizeof edges)];
        break;
    case 2:
        p[at] = (uint8_t)(p[at] + prng_below(r, 3) - 1);
        break;
    default:
        p[at] = (uint8_t)prng_u64(r);
    }
}

/* Inserts bytes from another input, or repeats bytes of this one. */
static size_t insert(struct prng *r, uint8_t *p, size_t n,
                     const struct input *from)
{
    size_t at = prng_below(r, n + 1);
    size_t len, start;

    if (from->n == 0 || n >= INPUT_MAX)
        return n;
    start = prng_below(r, from->n);
    len = 1 + prng_below(r, from->n - start);
    if (prng_below(r, 2) == 0)
        len = 1 + len % 8;
    if (len > from->n - start)
        len = from->n - start;
    if (len > INPUT_MAX - n)
        len = INPUT_MAX - n;
    memmove(p + at + len, p + at, n - at);
    memcpy(p + at, from->p + start, len);
    return n + len;
}

static size_t cut(struct prng *r, uint8_t *p, size_t n)
{
    size_t at, len;

    if (n == 0)
        return 0;
    at = prng_below(r, n);
    len = 1 + prng_below(r, n - at);
    if (prng_below(r, 2) == 0)
        len = 1;
    memmove(p + at, p + at + len, n - at - len);
    return n - len;
}

/* Makes input number `run` in p and returns its length. */
static size_t mutate(const struct corpus *c, uint64_t seed, uint64_t run,
                     uint8_t *p)
{
    const struct input *base;
    struct prng r;
    uint64_t times;
    size_t n;

    prng_seed(&r, seed);
    prng_seed(&r, prng_u64(&r) ^ run);
    base = &c->input[prng_below(&r, c->n)];
    n = base->n < INPUT_MAX ? base->n : INPUT_MAX;
    if (n > 0)
        memcpy(p, base->p, n);
    times = 1 + prng_below(&r, MUTATIONS_MAX);
    for (uint64_t i = 0; i < times; i++) {
        switch (prng_below(&r, 8)) {
        case 0:
            n = insert(&r, p, n, &c->input[prng_below(&r, c->n)]);
            break;
        case 1:
            n = cut(&r, p, n);
            break;
        default:
            change_byte(&r, p, n);
        }
    }
    return n;
}

/* -- Running. -- */

/* In a block of its own size, so that a sanitizer sees every step too far. */
static void run_one(const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);

    if (copy == NULL)
        die("out of memory", "input");
    if (n > 0)
        memcpy(copy, p, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void run_all(const struct corpus *c, const struct options *o,
                    struct progress *progress)
{
    static uint8_t p[INPUT_MAX];

    for (size_t i = 0; o->files && i < c->n; i++) {
        progress->at = i;
        run_one(c->input[i].p, c->input[i].n);
    }
    progress->mutating = true;
    for (uint64_t run = o->first; run < o->end; run++) {
        progress->at = run;
        run_one(p, mutate(c, o->seed, run, p));
    }
}

static void report(const struct corpus *c, const struct options *o,
                   const struct progress *progress, int argc, char **argv)
{
    if (!progress->mutating) {
        const char *path = c->input[progress->at].path;

        fprintf(stderr, "replay: died at %s\n", path ? path : "no input");
        return;
    }
    fprintf(stderr,
            "replay: died at seed %" PRIu64 ", run %" PRIu64 "; repeat it:\n"
            "  %s --seed %" PRIu64 " --only %" PRIu64,
            o->seed, progress->at, argv[0], o->seed, progress->at);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0)
            i++;
        else
            fprintf(stderr, " %s", argv[i]);
    }
    fprintf(stderr, "\n");
}

static uint64_t number(const char *option, const char *text)
{
    char *end = NULL;
    uint64_t v = text != NULL ? strtoull(text, &end, 10) : 0;

    if (text == NULL || end == text || *end != '\0')
        die("needs a number", option);
    return v;
}

static void parse(int argc, char **argv, struct options *o, struct corpus *c)
{
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;

        if (strcmp(argv[i], "--seed") == 0) {
            o->seed = number(argv[i++], next);
        } else if (strcmp(argv[i], "--runs") == 0) {
            o->end = number(argv[i++], next);
        } else if (strcmp(argv[i], "--only") == 0) {
            o->first = number(argv[i++], next);
            o->end = o->first + 1;
            o->files = false;
        } else {
            add_path(c, argv[i]);
        }
    }
    if (c->n == 0)
        c->n = 1; /* the empty input, which has no path */
}

int main(int argc, char **argv)
{
    struct options o = {
        .seed = SEED_DEFAULT, .end = RUNS_DEFAULT, .files = true};
    struct corpus c = {calloc(CORPUS_MAX, sizeof *c.input), 0};
    struct progress *progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    pid_t child;

    if (c.input == NULL || progress == MAP_FAILED)
        die("out of memory", argv[0]);
    parse(argc, argv, &o, &c);
    child = fork();
    if (child < 0)
        die("cannot fork", argv[0]);
    if (child == 0)
        run_all(&c, &o, progress);
    else if (waitpid(child, &status, 0) != child)
        die("cannot wait", argv[0]);
    if (child != 0 && status != 0)
        report(&c, &o, progress, argc, argv);
    else if (child != 0)
        printf("%s: %zu files, runs %" PRIu64 " to %" PRIu64 " of seed %" PRIu64
               "\n",
               argv[0], c.n, o.first, o.end, o.seed);
    free_corpus(&c);
    return status != 0 ? 1 : 0;
}
