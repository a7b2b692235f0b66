/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzzmachine.h - read a description that a fuzzer made, and do with the machine
 * all that can be done with one.
 */
#ifndef TESTS_FUZZMACHINE_H
#define TESTS_FUZZMACHINE_H

#include <stddef.h>
#include <stdint.h>

/* `format` as in struct machine_read_args; aborts when a promise is broken. */
void fuzz_machine(const uint8_t *data, size_t len, const char *format);

#endif
