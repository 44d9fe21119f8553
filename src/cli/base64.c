/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/base64.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum {
    PEM_COLUMNS = 64,
};

/* The value of a digit; 64 for any other character. */
static uint32_t digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? 64 : (uint32_t)(at - digits);
}

/* A group of which the last `padding` characters are "=". */
static int group(const char *text, size_t padding, uint8_t *out)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 4; i++) {
        uint32_t value = i < 4 - padding ? digit(text[i]) : 0;

        if (value > 63)
            return KITH_ERR_FORMAT;
        bits = bits << 6 | value;
    }
    if ((bits & ((1U << (8 * padding)) - 1)) != 0)
        return KITH_ERR_FORMAT;
    for (size_t i = 0; i < 3 - padding; i++)
        out[i] = (uint8_t)(bits >> (16 - 8 * i));
    return KITH_OK;
}

int base64_decode(const char *text, uint8_t **out, size_t *n)
{
    size_t len = strlen(text);
    size_t padding = 0;
    uint8_t *bytes;
    int err = len % 4 == 0 ? KITH_OK : KITH_ERR_FORMAT;

    *out = NULL;
    while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
        padding++;
    bytes = malloc(len / 4 * 3 + 1);
    if (bytes == NULL)
        return KITH_ERR_NOMEM;
    for (size_t i = 0; err == KITH_OK && i < len; i += 4)
        err = group(text + i, i + 4 == len ? padding : 0, bytes + i / 4 * 3);
    if (err != KITH_OK) {
        free(bytes);
        return err;
    }
    *out = bytes;
    *n = len / 4 * 3 - padding;
    return KITH_OK;
}

void base64_pem(FILE *out, const char *label, const char *text)
{
    size_t len = strlen(text);

    fprintf(out, "-----BEGIN %s-----\n", label);
    for (size_t i = 0; i < len; i += PEM_COLUMNS)
        fprintf(out, "%.*s\n", PEM_COLUMNS, text + i);
    fprintf(out, "-----END %s-----\n", label);
}
