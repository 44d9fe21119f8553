/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "cli/base64.h"
#include "cli/cli.h"
#include "cli/show.h"

/* The files of one export. */
struct files {
    char *data;        /* DIR/NAME.signed */
    char *sig;         /* DIR/NAME.sig */
    char *key;         /* DIR/NODE.pub.pem */
    char *certificate; /* DIR/NODE.crt; NULL: none is known */
};

static void files_free(struct files *f)
{
    free(f->data);
    free(f->sig);
    free(f->key);
    free(f->certificate);
}

/* Whether a word of the user's, or the daemon's, can be a part of the name of
 * a file. */
static bool is_safe(const char *word)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789._-";

    return word[0] != '\0' && word[0] != '.' && word[0] != '-' &&
           strspn(word, allowed) == strlen(word);
}

static char *path(const char *dir, const char *name, const char *end)
{
    const char *slash = dir[0] == '\0' ? "" : "/";
    char *out = NULL;

    return asprintf(&out, "%s%s%s%s", dir, slash, name, end) < 0 ? NULL : out;
}

/* -- writing ---------------------------------------------------------- */

static int finish(const struct cli *cli, FILE *file, const char *name)
{
    bool bad = file == NULL || ferror(file) != 0;

    if (file != NULL && fclose(file) != 0)
        bad = true;
    if (bad)
        cli_say(cli, "cannot write %s: %s", name, strerror(errno));
    return bad ? CLI_NO : CLI_OK;
}

/* What a member of the export holds in base64, malloc'ed; NULL, said, when it
 * holds nothing of the kind. */
static uint8_t *bytes_of(const struct cli *cli, const json_t *o,
                         const char *key, size_t *n)
{
    uint8_t *bytes = NULL;

    if (base64_decode(cli_string(o, key), &bytes, n) == KITH_OK && *n > 0)
        return bytes;
    cli_say(cli, "what answers is not kithd: no %s", key);
    free(bytes);
    return NULL;
}

static int write_bytes(const struct cli *cli, const char *name, const json_t *o,
                       const char *key)
{
    size_t n;
    uint8_t *bytes = bytes_of(cli, o, key, &n);
    FILE *file;

    if (bytes == NULL)
        return CLI_UNREACHABLE;
    file = fopen(name, "wbe");
    if (file != NULL)
        fwrite(bytes, 1, n, file);
    free(bytes);
    return finish(cli, file, name);
}

static int write_pem(const struct cli *cli, const char *name, const char *label,
                     const json_t *o, const char *key)
{
    size_t n;
    uint8_t *bytes = bytes_of(cli, o, key, &n);
    FILE *file;

    if (bytes == NULL)
        return CLI_UNREACHABLE;
    free(bytes);
    file = fopen(name, "we");
    if (file != NULL)
        base64_pem(file, label, cli_string(o, key));
    return finish(cli, file, name);
}

static int write_all(const struct cli *cli, const struct files *f,
                     const json_t *o)
{
    int code;

    /* When it cannot be made, the first file tells why. */
    if (cli->args->n_words > 3)
        mkdir(cli->args->words[3], 0777);
    code = write_bytes(cli, f->data, o, "signed");
    if (code == CLI_OK)
        code = write_bytes(cli, f->sig, o, "signature");
    if (code == CLI_OK)
        code = write_pem(cli, f->key, "PUBLIC KEY", o, "spki");
    if (code == CLI_OK && f->certificate != NULL)
        code = write_pem(cli, f->certificate, "CERTIFICATE", o, "certificate");
    return code;
}

/* -- telling ---------------------------------------------------------- */

/* What a shell can run to check the signature; malloc'ed. */
static char *verify_command(const struct files *f)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    fputs("openssl dgst -sha256 -verify ", out);
    show_word(out, f->key);
    fputs(" -signature ", out);
    show_word(out, f->sig);
    fputc(' ', out);
    show_word(out, f->data);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static int tell(const struct cli *cli, const struct files *f, const json_t *o)
{
    char *verify = verify_command(f);

    if (verify == NULL) {
        cli_say(cli, "out of memory");
        return CLI_NO;
    }
    if (cli->args->json) {
        json_t *told =
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s}", "node",
                      cli_string(o, "node"), "name", cli_string(o, "name"),
                      "signed", f->data, "signature", f->sig, "public_key",
                      f->key, "certificate", f->certificate, "verify", verify);

        cli_print_json(cli, told);
        json_decref(told);
    } else {
        fprintf(cli->out, "%s\n", verify);
    }
    free(verify);
    return CLI_OK;
}

/* What will be written, after the words of the user; those that cannot be
 * part of a file's name are replaced by the node's id. */
static int name_files(const struct cli *cli, const json_t *o, struct files *f)
{
    const struct args *args = cli->args;
    const char *dir = args->n_words > 3 ? args->words[3] : "";
    const char *node =
        is_safe(args->words[1]) ? args->words[1] : cli_string(o, "node");
    const char *name = args->words[2];

    if (!is_safe(node) || !is_safe(name)) {
        cli_say(cli, "what answers is not kithd: such names are not used");
        return CLI_UNREACHABLE;
    }
    f->data = path(dir, name, ".signed");
    f->sig = path(dir, name, ".sig");
    f->key = path(dir, node, ".pub.pem");
    f->certificate = path(dir, node, ".crt");
    if (f->data == NULL || f->sig == NULL || f->key == NULL ||
        f->certificate == NULL) {
        cli_say(cli, "out of memory");
        return CLI_NO;
    }
    if (!json_is_string(json_object_get(o, "certificate"))) {
        free(f->certificate);
        f->certificate = NULL;
    }
    return CLI_OK;
}

int cmd_export(const struct cli *cli)
{
    struct files files = {0};
    json_t *o;
    int code = cli_get(cli, "/v1/nodes/*/export/*", cli->args->words[1],
                       cli->args->words[2], &o);

    if (code == CLI_OK)
        code = name_files(cli, o, &files);
    if (code == CLI_OK)
        code = write_all(cli, &files, o);
    if (code == CLI_OK)
        code = tell(cli, &files, o);
    files_free(&files);
    json_decref(o);
    return code;
}
