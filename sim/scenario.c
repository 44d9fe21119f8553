/* SPDX-License-Identifier: Apache-2.0 */
#include "scenario.h"

#include <stdio.h>

#include "base/error.h"

/* -- what scenarios are made of -------------------------------------------- */

static uint64_t draw(struct sim *sim, uint64_t below)
{
    return prng_below(&sim->world.prng, below);
}

static struct node *any_node(struct sim *sim)
{
    return &sim->nodes[draw(sim, sim->options.nodes)];
}

/* All nodes begin within half a second. */
static void start_all(struct sim *sim)
{
    sim_phase(sim, "cold start");
    for (uint32_t i = 0; i < sim->options.nodes; i++)
        node_start_at(&sim->nodes[i],
                      instant_add_us(sim->world.now, draw(sim, 500000)));
    sim_run_ms(sim, 30000);
}

/* The network of a bad day: late, lossy, out of order. */
static void spoil(struct sim *sim)
{
    sim->net.options = (struct net_options){
        .delay_min_us = 1000,
        .delay_max_us = 30000,
        .loss = sim->options.loss * 10,
        .duplicate = 20,
        .reorder = 50,
        .reorder_us = 200000,
    };
}

static void calm(struct sim *sim)
{
    sim->net.options = net_calm;
}

/* An operator does something somewhere. */
static void change_something(struct sim *sim)
{
    static const size_t sizes[] = {10, 700, 1500, 7000, 9000, 32768};
    struct node *n = any_node(sim);
    char name[16];

    snprintf(name, sizeof name, "block-%u", (unsigned)draw(sim, 3));
    switch (draw(sim, 4)) {
    case 0:
        node_tag(n, "rack", name);
        break;
    case 1:
        node_remove(n, name);
        break;
    default:
        node_put(n, name, sizes[draw(sim, sizeof sizes / sizeof sizes[0])]);
        break;
    }
}

/* A node stops, for 0.2 to 30 s; never more than half of them at a time. */
static void crash_something(struct sim *sim)
{
    struct node *n = any_node(sim);
    bool silent = draw(sim, 2) == 0;

    if (!n->engine || sim_running(sim) * 2 <= sim->options.nodes)
        return;
    node_crash(n, silent);
    if (draw(sim, 4) == 0)
        node_lose_shelf(n);
    node_start_at(n, instant_add_ms(sim->world.now, 200 + draw(sim, 30000)));
}

/* The first `count` nodes, counted from a random one, are cut off. */
static void split(struct sim *sim, uint32_t count)
{
    uint32_t first = (uint32_t)draw(sim, sim->options.nodes);

    for (uint32_t i = 0; i < count; i++)
        sim->nodes[(first + i) % sim->options.nodes].port.group = 1;
}

static void heal(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        sim->nodes[i].port.group = 0;
        node_start(&sim->nodes[i]);
    }
}

static uint64_t act_ms(const struct sim *sim)
{
    return (uint64_t)sim->options.minutes * 60000;
}

/* Does one of the two every now and then, for the length of an act. */
static void trouble(struct sim *sim, uint64_t every_ms,
                    void (*one)(struct sim *), void (*other)(struct sim *))
{
    struct instant end = instant_add_ms(sim->world.now, act_ms(sim));

    while (!sim->world.stopped && sim->world.now.us < end.us) {
        uint64_t left_ms = instant_since_ms(end, sim->world.now) + 1;
        uint64_t ms = 1 + draw(sim, 2 * every_ms);

        sim_run_ms(sim, ms < left_ms ? ms : left_ms);
        if (draw(sim, 2) == 0)
            one(sim);
        else
            other(sim);
    }
}

/* -- the scenarios -------------------------------------------------------- */

static void cold_start(struct sim *sim)
{
    start_all(sim);
    sim_settle(sim);
}

static void change(struct sim *sim)
{
    struct node *n = any_node(sim);

    start_all(sim);
    sim_phase(sim, "tag");
    node_tag(n, "rack", "7");
    sim_run_ms(sim, 10000);
    sim_phase(sim, "put 2 kB");
    node_put(n, "notes", 2000);
    sim_run_ms(sim, 10000);
    sim_phase(sim, "put 32 kB");
    node_put(n, "picture", 32768);
    sim_run_ms(sim, 10000);
    sim_phase(sim, "remove");
    node_remove(n, "picture");
    sim_run_ms(sim, 10000);
    sim_phase(sim, "tag everywhere");
    for (uint32_t i = 0; i < sim->options.nodes; i++)
        node_tag(&sim->nodes[i], "rack", "8");
    sim_run_ms(sim, 10000);
    sim_phase(sim, "busy operators");
    trouble(sim, 2000, change_something, change_something);
    sim_settle(sim);
}

static void loss(struct sim *sim)
{
    spoil(sim);
    start_all(sim);
    sim_phase(sim, "busy operators");
    trouble(sim, 2000, change_something, change_something);
    sim_phase(sim, "calm");
    calm(sim);
    sim_settle(sim);
}

static void restart(struct sim *sim)
{
    struct node *n = any_node(sim);

    start_all(sim);
    sim_phase(sim, "one restarts");
    node_crash(n, false);
    sim_run_ms(sim, 1000);
    node_start(n);
    sim_run_ms(sim, 29000);
    sim_phase(sim, "one is replaced");
    node_crash(n, true);
    node_lose_shelf(n);
    sim_run_ms(sim, 20000);
    node_start(n);
    sim_run_ms(sim, 40000);
    sim_phase(sim, "crashes");
    trouble(sim, 3000, crash_something, change_something);
    sim_phase(sim, "all are back");
    heal(sim);
    sim_settle(sim);
}

static void partition(struct sim *sim)
{
    start_all(sim);
    sim_phase(sim, "halves");
    split(sim, sim->options.nodes / 2);
    trouble(sim, 5000, change_something, change_something);
    sim_phase(sim, "whole again");
    heal(sim);
    sim_settle(sim);
    sim_phase(sim, "one alone");
    split(sim, 1);
    trouble(sim, 5000, change_something, change_something);
    sim_phase(sim, "whole again");
    heal(sim);
    sim_settle(sim);
}

static void flap(struct sim *sim)
{
    if (draw(sim, 2) == 0)
        split(sim, 1 + (uint32_t)draw(sim, sim->options.nodes));
    else
        for (uint32_t i = 0; i < sim->options.nodes; i++)
            sim->nodes[i].port.group = 0;
}

static void any_fault(struct sim *sim)
{
    switch (draw(sim, 4)) {
    case 0:
        flap(sim);
        break;
    case 1:
        spoil(sim);
        sim->net.options.loss = (unsigned)draw(sim, 300);
        break;
    case 2:
        calm(sim);
        break;
    default:
        crash_something(sim);
        break;
    }
}

/* Everything at once, in two acts. */
static void chance(struct sim *sim)
{
    start_all(sim);
    for (int act = 0; act < 2; act++) {
        sim_phase(sim, "trouble");
        trouble(sim, 3000, any_fault, change_something);
        sim_phase(sim, "healed");
        calm(sim);
        heal(sim);
        sim_settle(sim);
    }
}

const struct scenario scenarios[] = {
    {"cold-start", cold_start},
    {"change", change},
    {"loss", loss},
    {"restart", restart},
    {"partition", partition},
    {"random", chance},
    {NULL, NULL},
};

const struct scenario *scenario_find(const char *name)
{
    for (const struct scenario *s = scenarios; s->name; s++)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}
