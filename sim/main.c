/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "scenario.h"

enum {
    NODES_MAX = 10000,
    MINUTES_MAX = 44640, /* a month */
    LANS_MAX = 200,
    LOSS_MAX = 90,
};

struct arguments {
    struct sim_options sim;
    const char *scenario;
};

static void usage(FILE *to)
{
    fprintf(to,
            "usage: kith-sim [--seed S] [--nodes N] [--scenario NAME] "
            "[--minutes M]\n"
            "                [--loss PERCENT] [--lans L] [--rsa] [--trace]\n"
            "\n"
            "Runs N agents on a virtual clock and network, and checks that "
            "the mesh keeps\nits promises. Scenarios:");
    for (const struct scenario *s = scenarios; s->name; s++)
        fprintf(to, " %s", s->name);
    fprintf(to, " all\n");
}

static uint64_t number(const char *name, const char *text, uint64_t min,
                       uint64_t max)
{
    uint64_t v = 0;

    if (text_u64(text, min, max, &v) != KITH_OK) {
        fprintf(stderr,
                "kith-sim: --%s wants a number of %" PRIu64 "..%" PRIu64
                ", not %s\n",
                name, min, max, text);
        exit(2);
    }
    return v;
}

static void parse(int argc, char **argv, struct arguments *a)
{
    static const struct option longs[] = {
        {"seed", required_argument, NULL, 's'},
        {"nodes", required_argument, NULL, 'n'},
        {"minutes", required_argument, NULL, 'm'},
        {"scenario", required_argument, NULL, 'c'},
        {"loss", required_argument, NULL, 'l'},
        {"lans", required_argument, NULL, 'L'},
        {"rsa", no_argument, NULL, 'r'},
        {"trace", no_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct sim_options *o = &a->sim;
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 's':
            o->seed = number("seed", optarg, 0, UINT64_MAX);
            break;
        case 'n':
            o->nodes = (uint32_t)number("nodes", optarg, 2, NODES_MAX);
            break;
        case 'm':
            o->minutes = (uint32_t)number("minutes", optarg, 1, MINUTES_MAX);
            break;
        case 'c':
            a->scenario = optarg;
            break;
        case 'l':
            o->loss = (unsigned)number("loss", optarg, 0, LOSS_MAX);
            break;
        case 'L':
            o->lans = (uint32_t)number("lans", optarg, 1, LANS_MAX);
            break;
        case 'r':
            o->rsa = true;
            break;
        case 't':
            o->trace = true;
            break;
        default:
            usage(c == 'h' ? stdout : stderr);
            exit(c == 'h' ? 0 : 2);
        }
    }
    if (optind < argc ||
        (strcmp(a->scenario, "all") != 0 && !scenario_find(a->scenario))) {
        usage(stderr);
        exit(2);
    }
}

/* The one command that repeats a run. */
static void print_command(const struct arguments *a, const char *scenario)
{
    const struct sim_options *o = &a->sim;

    printf("kith-sim --seed %" PRIu64 " --nodes %" PRIu32
           " --scenario %s --minutes %" PRIu32 " --loss %u --lans %" PRIu32
           "%s\n",
           o->seed, o->nodes, scenario, o->minutes, o->loss, o->lans,
           o->rsa ? " --rsa" : "");
}

/* Runs one scenario on a mesh of its own, and adds its trace to `trace`.
 * Returns whether every promise held. */
static bool run(const struct arguments *a, const struct scenario *scenario,
                struct hasher *trace)
{
    struct sim *sim = world_alloc(sizeof *sim);
    struct hash digest;
    bool kept;

    sim_init(sim, &a->sim);
    print_command(a, scenario->name);
    sim_phase_heading();
    fflush(stdout); /* an assertion may be what comes next */
    scenario->run(sim);
    sim_phase_end(sim);
    kept = !sim->broken;
    if (!kept) {
        printf("broken: %s\nrepeat: ", sim->why);
        print_command(a, scenario->name);
    }
    world_trace_end(&sim->world, &digest);
    hasher_add(trace, digest.b, sizeof digest.b);
    sim_free(sim);
    free(sim);
    return kept;
}

int main(int argc, char **argv)
{
    struct arguments a = {
        .sim = {.seed = 1, .nodes = 50, .minutes = 1, .lans = 1, .loss = 10},
        .scenario = "all",
    };
    struct hasher *trace = hasher_new();
    struct hash digest;
    char hex[33];
    bool kept = true;

    parse(argc, argv, &a);
    if (!trace) {
        fprintf(stderr, "kith-sim: no SHA-256\n");
        return 2;
    }
    hasher_begin(trace);
    for (const struct scenario *s = scenarios; s->name; s++)
        if (strcmp(a.scenario, "all") == 0 || strcmp(a.scenario, s->name) == 0)
            kept = run(&a, s, trace) && kept;
    if (hasher_end(trace, &digest) != KITH_OK)
        return 2;
    hasher_free(trace);
    text_hex(hex, sizeof hex, digest.b, 16);
    printf("seed=%" PRIu64 " nodes=%" PRIu32 " trace=%s\n", a.sim.seed,
           a.sim.nodes, hex);
    return kept ? 0 : 1;
}
