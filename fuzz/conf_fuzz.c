/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: daemon */
/*
 * Any bytes as a kith.conf: what is refused has a message of one line, what
 * is taken prints to something that is taken again and prints the same.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/text.h"
#include "daemon/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parses, and prints if that went well; the caller frees *print. */
static int parse(const char *text, size_t len, char **print, size_t *print_len)
{
    struct conf conf;
    char message[CONF_MESSAGE_SIZE] = "";

    conf_defaults(&conf);
    int err =
        conf_parse_text(&conf, "fuzz", text, len, message, sizeof message);
    if (err != KITH_OK) {
        assert(message[0] != '\0');
        assert(text_valid_utf8(message, strlen(message)));
        return err;
    }
    FILE *out = open_memstream(print, print_len);
    assert(out != NULL);
    conf_print(&conf, out);
    fclose(out);
    return KITH_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *first, *second;
    size_t len, again;

    if (size > CONF_FILE_MAX)
        return 0;
    if (parse((const char *)data, size, &first, &len) != KITH_OK)
        return 0;
    int err = parse(first, len, &second, &again);
    assert(err == KITH_OK);
    assert(len == again && memcmp(first, second, len) == 0);
    free(first);
    free(second);
    return 0;
}
