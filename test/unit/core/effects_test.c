/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/effects.h"

static void test_add(void **state)
{
    static struct effects out;
    static const struct effect none;
    struct effect *effect;

    (void)state;
    memset(&out, 0xee, sizeof out);
    effects_clear(&out);
    effect = effects_add(&out, EFFECT_NOTE);
    assert_ptr_equal(effect, &out.v[0]);
    assert_int_equal(out.n, 1);
    assert_int_equal(effect->type, EFFECT_NOTE);
    effect->type = none.type;
    assert_memory_equal(effect, &none, sizeof none);
    effects_clear(&out);
    assert_int_equal(out.n, 0);
}

static void test_bytes(void **state)
{
    static struct effects out;
    uint8_t *a, *b;

    (void)state;
    effects_clear(&out);
    a = effects_bytes(&out, 100);
    b = effects_bytes(&out, DGRAM_MAX);
    assert_ptr_equal(b, a + 100);
    assert_int_equal(out.used, 100 + DGRAM_MAX);
    effects_clear(&out);
    assert_ptr_equal(effects_bytes(&out, EFFECTS_BYTES), a);
}

/* Room is for whole datagrams, in both ways in which it ends. */
static void test_room(void **state)
{
    static struct effects out;

    (void)state;
    effects_clear(&out);
    assert_true(effects_room(&out, 0));
    assert_true(effects_room(&out, EFFECTS_BYTES / DGRAM_MAX));
    assert_false(effects_room(&out, EFFECTS_BYTES / DGRAM_MAX + 1));
    effects_bytes(&out, 1);
    assert_true(effects_room(&out, EFFECTS_BYTES / DGRAM_MAX - 1));
    assert_false(effects_room(&out, EFFECTS_BYTES / DGRAM_MAX));

    effects_clear(&out);
    for (size_t i = 0; i < EFFECTS_MAX - 3; i++)
        effects_add(&out, EFFECT_NOTE);
    assert_true(effects_room(&out, 3));
    assert_false(effects_room(&out, 4));
    while (out.n < EFFECTS_MAX)
        effects_add(&out, EFFECT_NOTE);
    assert_true(effects_room(&out, 0));
    assert_false(effects_room(&out, 1));

    effects_clear(&out);
    effects_bytes(&out, EFFECTS_BYTES);
    assert_false(effects_room(&out, 1));
}

static void test_note_names(void **state)
{
    (void)state;
    for (int i = 0; i < NOTE_TYPES; i++) {
        assert_string_not_equal(note_type_name((enum note_type)i), "unknown");
        for (int j = 0; j < i; j++)
            assert_string_not_equal(note_type_name((enum note_type)i),
                                    note_type_name((enum note_type)j));
    }
    assert_string_equal(note_type_name(NOTE_TYPES), "unknown");
    assert_string_equal(note_type_name(NOTE_NO_ANSWER), "no-answer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_note_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
