/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keys.c - names and characters of keys.  See keys.h. */
#include "vmm/keys.h"

#include <errno.h>
#include <string.h>

#include "vmm/chip/i8042.h"
#include "vmm/vm.h"

#define EXTENDED	0xe000u
#define EXTENDED_PREFIX	0xe0u
#define BREAK_PREFIX	0xf0u
#define MAX_NAME	16u

static const struct {
	const char *name;
	uint16_t code;
} keys[] = {
	{ "esc", 0x76 }, { "backspace", 0x66 }, { "tab", 0x0d },
	{ "ret", 0x5a }, { "enter", 0x5a }, { "spc", 0x29 },
	{ "space", 0x29 }, { "minus", 0x4e }, { "equal", 0x55 },
	{ "bracket_left", 0x54 }, { "bracket_right", 0x5b },
	{ "semicolon", 0x4c }, { "apostrophe", 0x52 },
	{ "grave_accent", 0x0e }, { "backslash", 0x5d }, { "comma", 0x41 },
	{ "dot", 0x49 }, { "slash", 0x4a }, { "less", 0x61 },
	{ "caps_lock", 0x58 }, { "num_lock", 0x77 }, { "scroll_lock", 0x7e },
	{ "shift", 0x12 }, { "shift_r", 0x59 }, { "ctrl", 0x14 },
	{ "ctrl_r", EXTENDED | 0x14 }, { "alt", 0x11 },
	{ "alt_r", EXTENDED | 0x11 }, { "meta_l", EXTENDED | 0x1f },
	{ "meta_r", EXTENDED | 0x27 }, { "menu", EXTENDED | 0x2f },
	{ "f1", 0x05 }, { "f2", 0x06 }, { "f3", 0x04 }, { "f4", 0x0c },
	{ "f5", 0x03 }, { "f6", 0x0b }, { "f7", 0x83 }, { "f8", 0x0a },
	{ "f9", 0x01 }, { "f10", 0x09 }, { "f11", 0x78 }, { "f12", 0x07 },
	{ "insert", EXTENDED | 0x70 }, { "delete", EXTENDED | 0x71 },
	{ "home", EXTENDED | 0x6c }, { "end", EXTENDED | 0x69 },
	{ "pgup", EXTENDED | 0x7d }, { "pgdn", EXTENDED | 0x7a },
	{ "up", EXTENDED | 0x75 }, { "down", EXTENDED | 0x72 },
	{ "left", EXTENDED | 0x6b }, { "right", EXTENDED | 0x74 },
	{ "sysrq", 0x84 }, { "print", EXTENDED | 0x7c },
	{ "kp_0", 0x70 }, { "kp_1", 0x69 }, { "kp_2", 0x72 },
	{ "kp_3", 0x7a }, { "kp_4", 0x6b }, { "kp_5", 0x73 },
	{ "kp_6", 0x74 }, { "kp_7", 0x6c }, { "kp_8", 0x75 },
	{ "kp_9", 0x7d }, { "kp_decimal", 0x71 }, { "kp_add", 0x79 },
	{ "kp_subtract", 0x7b }, { "kp_multiply", 0x7c },
	{ "kp_divide", EXTENDED | 0x4a }, { "kp_enter", EXTENDED | 0x5a },
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

/* Keys with characters: a US layout without and with shift. */
static const char plain[] = "`1234567890-=qwertyuiop[]\\asdfghjkl;'zxcvbnm,./ "
			    "\t\n\b\x1b";
static const char shifted[] = "~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:\"ZXCVBNM<>?";
static const uint8_t codes[] = {
	0x0e, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, 0x4e,
	0x55, 0x15, 0x1d, 0x24, 0x2d, 0x2c, 0x35, 0x3c, 0x43, 0x44, 0x4d, 0x54,
	0x5b, 0x5d, 0x1c, 0x1b, 0x23, 0x2b, 0x34, 0x33, 0x3b, 0x42, 0x4b, 0x4c,
	0x52, 0x1a, 0x22, 0x21, 0x2a, 0x32, 0x31, 0x3a, 0x41, 0x49, 0x4a, 0x29,
	0x0d, 0x5a, 0x66, 0x76,
};
_Static_assert(sizeof(codes) == sizeof(plain) - 1, "a code for each key");
#define SHIFT 0x12u

static uint16_t find_key(const char *name, size_t len)
{
	const char *c;

	if (len == 1 && *name > ' ') {
		c = strchr(plain, *name);
		return c ? codes[c - plain] : 0;
	}
	for (size_t i = 0; i < N_KEYS; i++)
		if (strlen(keys[i].name) == len &&
		    !memcmp(keys[i].name, name, len))
			return keys[i].code;
	return 0;
}

static void put_key(uint8_t **out, uint16_t code, bool let_go)
{
	if (code & EXTENDED)
		*(*out)++ = EXTENDED_PREFIX;
	if (let_go)
		*(*out)++ = BREAK_PREFIX;
	*(*out)++ = (uint8_t)code;
}

static size_t put_keys(uint8_t *out, const uint16_t *held, unsigned n)
{
	uint8_t *p = out;

	for (unsigned i = 0; i < n; i++)
		put_key(&p, held[i], false);
	while (n--)
		put_key(&p, held[n], true);
	return (size_t)(p - out);
}

int keys_combo(const char *combo, uint8_t out[KEYS_COMBO_LEN], size_t *n,
	       struct err *e)
{
	uint16_t held[KEYS_MAX_COMBO];
	unsigned n_held = 0;
	size_t len;

	for (const char *p = combo;; p += len + 1) {
		len = strcspn(p, "-");
		if (n_held == KEYS_MAX_COMBO)
			return fail(e, EINVAL, "'%.40s': at most %u keys "
				    "together", combo, KEYS_MAX_COMBO);
		held[n_held] = find_key(p, len);
		if (!held[n_held++])
			return fail(e, EINVAL, "there is no key '%.*s'; keys "
				    "are a to z, 0 to 9, ret, esc, spc, f1, "
				    "up, ctrl, alt, shift and others, as in "
				    "ctrl-alt-delete",
				    (int)min_u64(len, MAX_NAME), p);
		if (!p[len])
			break;
	}
	*n = put_keys(out, held, n_held);
	return 0;
}

int keys_char(char c, uint8_t out[KEYS_COMBO_LEN], size_t *n, struct err *e)
{
	const char *where = c ? strchr(plain, c) : NULL;
	uint16_t held[2] = { SHIFT, 0 };

	if (where) {
		held[0] = codes[where - plain];
		*n = put_keys(out, held, 1);
		return 0;
	}
	where = c ? strchr(shifted, c) : NULL;
	if (!where)
		return fail(e, EINVAL, "no key has the byte 0x%02x: text must "
			    "be ASCII", (uint8_t)c);
	held[1] = codes[where - shifted];
	*n = put_keys(out, held, 2);
	return 0;
}

/* What is typed at once. */
struct typed {
	uint8_t bytes[KBD_TYPE_MAX];
	size_t len;
};

static int append(struct typed *t, const uint8_t *bytes, size_t n,
		  struct err *e)
{
	if (n > sizeof(t->bytes) - t->len)
		return fail(e, ENOSPC, "too many keys at once: type them in "
			    "parts");
	memcpy(t->bytes + t->len, bytes, n);
	t->len += n;
	return 0;
}

static int type(struct vm *vm, const struct typed *t, struct err *e)
{
	bool taken;

	if (!vm->kbd)
		return fail(e, ENODEV, "the machine has no keyboard");
	vm_lock(vm);
	taken = kbd_type(vm->kbd, t->bytes, t->len);
	vm_unlock(vm);
	return taken ? 0 : fail(e, ENOSPC, "the guest has not yet taken the "
				"keys that were typed before");
}

int vm_type_keys(struct vm *vm, const char *const *combos, size_t n,
		 struct err *e)
{
	struct typed t = { .len = 0 };
	uint8_t bytes[KEYS_COMBO_LEN];
	size_t len = 0;
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		rc = keys_combo(combos[i], bytes, &len, e);
		if (!rc)
			rc = append(&t, bytes, len, e);
	}
	return rc ? rc : type(vm, &t, e);
}

int vm_type_text(struct vm *vm, const char *text, struct err *e)
{
	struct typed t = { .len = 0 };
	uint8_t bytes[KEYS_COMBO_LEN];
	size_t len = 0;
	int rc = 0;

	for (; *text && !rc; text++) {
		rc = keys_char(*text, bytes, &len, e);
		if (!rc)
			rc = append(&t, bytes, len, e);
	}
	return rc ? rc : type(vm, &t, e);
}
