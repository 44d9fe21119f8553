/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_STORE_SCHEMA_H
#define KITH_STORE_SCHEMA_H

/*
 * The tables of DIR/kith.db. The comments stay with the tables: `.schema` in
 * the sqlite3 shell shows them.
 *
 * SQLite's integers are signed; a number of 64 unsigned bits is kept as the
 * signed one with the same bits. What a sum is: rowsum.h. STRICT makes SQLite
 * refuse a value of another type.
 */

enum {
    SCHEMA_APPLICATION_ID = 0x6b697468, /* "kith", in the file's header */
};

/*
 * One step for each version of the format, from the empty file on; the file's
 * user_version says how many were taken. A step that a released program may
 * have taken is never edited: a change of the tables is one more step.
 */
static const char *const schema_steps[] = {
    /* 1: the first version */
    "CREATE TABLE mesh (\n"
    "  id BLOB NOT NULL                -- whose nodes these are, 32 bytes\n"
    ") STRICT;\n"

    "CREATE TABLE meta (\n"
    "  key TEXT PRIMARY KEY,           -- what the number is\n"
    "  value INTEGER NOT NULL,         -- unsigned\n"
    "  sum INTEGER NOT NULL            -- check sum of the row\n"
    ") STRICT, WITHOUT ROWID;\n"

    "CREATE TABLE node (\n"
    "  id BLOB PRIMARY KEY NOT NULL,   -- node id, 32 bytes\n"
    "  spki BLOB NOT NULL,             -- its public key, DER, 294 bytes\n"
    "  floor_serial INTEGER NOT NULL,  -- heads up to this are refused,\n"
    "                                  -- unsigned\n"
    "  head_awake_ms INTEGER NOT NULL, -- awake time since its head was\n"
    "                                  -- signed, at seen_unix_ms\n"
    "  seen_unix_ms INTEGER NOT NULL,  -- when this row was written\n"
    "  state INTEGER NOT NULL,         -- 0 live, 1 gone, 2 left\n"
    "  sum INTEGER NOT NULL            -- check sum of the row\n"
    ") STRICT;\n"

    "CREATE TABLE block (\n"
    "  author BLOB NOT NULL,           -- node id, or mesh id, 32 bytes\n"
    "  name TEXT NOT NULL,             -- 1 to 32 bytes\n"
    "  serial INTEGER NOT NULL,        -- unsigned\n"
    "  type INTEGER NOT NULL,          -- 0 to 65535\n"
    "  hash BLOB NOT NULL,             -- block hash, 32 bytes\n"
    "  bytes BLOB NOT NULL,            -- canonical bytes and signature\n"
    "  sum INTEGER NOT NULL,           -- check sum of the row\n"
    "  PRIMARY KEY (author, name)\n"
    ") STRICT;\n"

    "CREATE TABLE addr (\n"
    "  id BLOB NOT NULL,               -- node id, 32 bytes\n"
    "  ip BLOB NOT NULL,               -- 4 bytes IPv4, 16 bytes IPv6\n"
    "  port INTEGER NOT NULL,          -- TCP and UDP\n"
    "  ifindex INTEGER NOT NULL,       -- fe80::/10 only, else 0\n"
    "  good_unix_ms INTEGER NOT NULL,  -- when the node last answered here\n"
    "  sum INTEGER NOT NULL,           -- check sum of the row\n"
    "  PRIMARY KEY (id, ip, port, ifindex)\n"
    ") STRICT, WITHOUT ROWID;\n",
};

enum {
    SCHEMA_VERSION = sizeof schema_steps / sizeof schema_steps[0],
};

#endif
