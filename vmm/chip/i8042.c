/* SPDX-License-Identifier: GPL-2.0-or-later */
/* i8042.c - keyboard controller and keyboard.  IBM PS/2 Hardware Interface
 * Technical Reference, "Keyboard and Auxiliary Device Controller" and "101/102-
 * key keyboard".
 *
 * Nothing is at the mouse port: what is sent there times out, at once, so that
 * nobody who probes waits for long.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "i8042.h"
#include "vmm/state.h"
#include "vmm/vm.h"

#define STATUS_OBF	0x01u	/* port 0x60 has something */
#define STATUS_SYS	0x04u
#define STATUS_COMMAND	0x08u	/* the last write was to port 0x64 */
#define STATUS_UNLOCKED	0x10u
#define STATUS_AUX	0x20u	/* what port 0x60 has is the mouse's */
#define STATUS_TIMEOUT	0x40u

#define CONFIG_KBD_IRQ	0x01u
#define CONFIG_AUX_IRQ	0x02u
#define CONFIG_SYS	0x04u
#define CONFIG_KBD_OFF	0x10u
#define CONFIG_AUX_OFF	0x20u
#define CONFIG_XLATE	0x40u

#define OUT_RUN		0x01u	/* low: reset */
#define OUT_A20		0x02u
#define OUT_OBF		0x10u
#define OUT_AUX_OBF	0x20u
#define OUT_ONES	0xccu

#define CMD_READ_RAM	0x20u	/* to 0x3f; 0x20 is the configuration */
#define CMD_WRITE_RAM	0x60u	/* to 0x7f */
#define CMD_AUX_OFF	0xa7u
#define CMD_AUX_ON	0xa8u
#define CMD_AUX_TEST	0xa9u
#define CMD_SELF_TEST	0xaau
#define CMD_KBD_TEST	0xabu
#define CMD_KBD_OFF	0xadu
#define CMD_KBD_ON	0xaeu
#define CMD_READ_INPUT	0xc0u
#define CMD_READ_OUT	0xd0u
#define CMD_WRITE_OUT	0xd1u
#define CMD_FROM_KBD	0xd2u	/* as if the keyboard had sent it */
#define CMD_FROM_AUX	0xd3u
#define CMD_TO_AUX	0xd4u
#define CMD_A20_OFF	0xddu
#define CMD_A20_ON	0xdfu
#define CMD_PULSE	0xf0u	/* to 0xff; bit 0 clear: reset */

#define KBD_ACK		0xfau
#define KBD_RESEND	0xfeu
#define KBD_BREAK	0xf0u	/* prefix */
#define QUEUE_SIZE	32u	/* a power of two */
#define KBD_EXTENDED	0xe0u	/* prefix */
#define TYPE_STEP	10000000u	/* ns between two keys of kbd_type() */

struct i8042 {
	struct device dev;
	struct region data, command;
	struct irq_line irq, aux_irq;
	uint8_t status;		/* the bits that are not made up when read */
	uint8_t config, out_port;
	uint8_t ram[32];	/* but [0], which is config */
	uint8_t pending;	/* command whose byte comes next, or 0 */
	uint8_t out;		/* what port 0x60 has, or had */

	/* The keyboard. */
	bool scanning;
	uint8_t kbd_pending;	/* its command whose byte comes next, or 0 */
	uint8_t scan_set;
	uint8_t last_sent;
	bool in_break;		/* translating: a prefix has been taken out */
	uint8_t queue[QUEUE_SIZE];
	unsigned head, n_queued;

	/* kbd_type()'s, a ring. */
	uint8_t typed[KBD_TYPE_MAX];
	unsigned typed_head, n_typed;
	struct vm_timer typist;
};

/* Scan code set 2 to set 1, as the controller's firmware does it. */
static const uint8_t set1[0x85] = {
	0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58,
	0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
	0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a,
	0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
	0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c,
	0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
	0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e,
	0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
	0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60,
	0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
	0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e,
	0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
	0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b,
	0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
	0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45,
	0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
	0x80, 0x81, 0x82, 0x41, 0x54,
};

static void update_irq(struct i8042 *k)
{
	bool full = k->status & STATUS_OBF, aux = k->status & STATUS_AUX;

	irq_set(&k->irq, full && !aux && (k->config & CONFIG_KBD_IRQ));
	irq_set(&k->aux_irq, full && aux && (k->config & CONFIG_AUX_IRQ));
}

/* Fill port 0x60, whatever was there; `flags` are STATUS_AUX and _TIMEOUT. */
static void put(struct i8042 *k, uint8_t value, unsigned flags)
{
	/* Each byte is an edge of its own. */
	k->status &= (uint8_t)~(STATUS_OBF | STATUS_AUX | STATUS_TIMEOUT);
	update_irq(k);
	k->out = value;
	k->status |= (uint8_t)(STATUS_OBF | flags);
	update_irq(k);
}

/* Take the keyboard's next byte to port 0x60 if there is room. */
static void pump(struct i8042 *k)
{
	uint8_t code;

	while (k->n_queued && !(k->status & STATUS_OBF) &&
	       !(k->config & CONFIG_KBD_OFF)) {
		code = k->queue[k->head];
		k->head = (k->head + 1) % QUEUE_SIZE;
		k->n_queued--;
		k->last_sent = code;
		if (k->config & CONFIG_XLATE) {
			if (code == KBD_BREAK) {
				k->in_break = true;
				continue;
			}
			if (code < sizeof(set1))
				code = set1[code];
			if (k->in_break)
				code |= 0x80;
		}
		k->in_break = false;
		put(k, code, 0);
	}
}

static void enqueue(struct i8042 *k, uint8_t code)
{
	if (k->n_queued == QUEUE_SIZE)
		return;
	k->queue[(k->head + k->n_queued++) % QUEUE_SIZE] = code;
}

size_t kbd_send(struct i8042 *k, const uint8_t *codes, size_t n)
{
	size_t room = QUEUE_SIZE / 2;

	if (!k->scanning)
		return 0;
	/* The rest of the queue is for answers to commands. */
	room = k->n_queued < room ? room - k->n_queued : 0;
	n = n < room ? n : room;
	for (size_t i = 0; i < n; i++)
		enqueue(k, codes[i]);
	pump(k);
	return n;
}

bool kbd_type(struct i8042 *k, const uint8_t *codes, size_t n)
{
	bool idle = !k->n_typed;

	if (n > KBD_TYPE_MAX - k->n_typed)
		return false;
	for (size_t i = 0; i < n; i++)
		k->typed[(k->typed_head + k->n_typed++) % KBD_TYPE_MAX] =
			codes[i];
	if (idle && n)
		vm_timer_arm(&k->typist, vm_now(k->dev.vm));
	return true;
}

/* The typist's next key: one code with its prefixes. */
static void type_key(struct i8042 *k)
{
	uint8_t code[3];
	unsigned n = 0;

	do {
		code[n] = k->typed[(k->typed_head + n) % KBD_TYPE_MAX];
		n++;
	} while (n < sizeof(code) && n < k->n_typed &&
		 (code[n - 1] == KBD_EXTENDED || code[n - 1] == KBD_BREAK));
	if (kbd_send(k, code, n) < n)
		return;
	k->typed_head = (k->typed_head + n) % KBD_TYPE_MAX;
	k->n_typed -= n;
}

static void typist_fire(void *arg)
{
	struct i8042 *k = arg;

	if (k->n_typed && !k->n_queued && !(k->status & STATUS_OBF))
		type_key(k);
	if (k->n_typed)
		vm_timer_arm(&k->typist, vm_now(k->dev.vm) + TYPE_STEP);
}

static void kbd_defaults(struct i8042 *k)
{
	k->scan_set = 2;
	k->head = k->n_queued = 0;
	k->in_break = false;
}

/* The byte that belongs to the keyboard command before it. */
static void kbd_argument(struct i8042 *k, uint8_t value)
{
	uint8_t command = k->kbd_pending;

	k->kbd_pending = 0;
	if (command == 0xf0 && value > 3) {
		enqueue(k, KBD_RESEND);
		return;
	}
	enqueue(k, KBD_ACK);
	if (command != 0xf0)
		return;		/* LEDs, repeat rate */
	if (value)
		k->scan_set = value;
	else
		enqueue(k, k->scan_set);
}

static void kbd_command(struct i8042 *k, uint8_t value)
{
	if (k->kbd_pending && value < 0xed) {
		kbd_argument(k, value);
		return;
	}
	k->kbd_pending = 0;
	switch (value) {
	case 0xed:	/* LEDs */
	case 0xf0:	/* scan code set */
	case 0xf3:	/* repeat rate */
		k->kbd_pending = value;
		enqueue(k, KBD_ACK);
		break;
	case 0xee:	/* echo */
		enqueue(k, 0xee);
		break;
	case 0xf2:	/* identify */
		enqueue(k, KBD_ACK);
		enqueue(k, 0xab);
		enqueue(k, 0x83);
		break;
	case 0xf4:
	case 0xf5:
	case 0xf6:
		if (value != 0xf4)
			kbd_defaults(k);
		k->scanning = value != 0xf5;
		enqueue(k, KBD_ACK);
		break;
	case 0xf7:	/* all keys repeat, break, make: set 3 only */
	case 0xf8:
	case 0xf9:
	case 0xfa:
		enqueue(k, KBD_ACK);
		break;
	case 0xfe:
		enqueue(k, k->last_sent);
		break;
	case 0xff:
		kbd_defaults(k);
		k->scanning = true;
		enqueue(k, KBD_ACK);
		enqueue(k, 0xaa);
		break;
	default:
		enqueue(k, KBD_RESEND);
	}
}

static uint8_t out_port(const struct i8042 *k)
{
	uint8_t value = k->out_port;

	if (k->status & STATUS_OBF)
		value |= k->status & STATUS_AUX ? OUT_AUX_OBF : OUT_OBF;
	return value;
}

static void reset_request(struct i8042 *k)
{
	vm_request_reset(k->dev.vm, "port 0x64");
}

static void write_out_port(struct i8042 *k, uint8_t value)
{
	k->out_port = OUT_ONES | OUT_RUN | (value & OUT_A20);
	if (!(value & OUT_RUN))
		reset_request(k);
}

static void write_ram(struct i8042 *k, unsigned i, uint8_t value)
{
	if (i) {
		k->ram[i] = value;
		return;
	}
	k->config = value;
	k->status &= (uint8_t)~STATUS_SYS;
	if (value & CONFIG_SYS)
		k->status |= STATUS_SYS;
	update_irq(k);
}

static void self_test(struct i8042 *k)
{
	k->status |= STATUS_SYS;
	k->config |= CONFIG_SYS;
	put(k, 0x55, 0);
}

static void kbc_command(struct i8042 *k, uint8_t value)
{
	unsigned i = value & 0x1f;

	k->pending = 0;
	if (value >= CMD_READ_RAM && value < CMD_READ_RAM + 32) {
		put(k, i ? k->ram[i] : k->config, 0);
		return;
	}
	if (value >= CMD_WRITE_RAM && value < CMD_WRITE_RAM + 32) {
		k->pending = value;
		return;
	}
	if (value >= CMD_PULSE) {
		if (!(value & OUT_RUN))
			reset_request(k);
		return;
	}
	switch (value) {
	case CMD_AUX_OFF:
		k->config |= CONFIG_AUX_OFF;
		break;
	case CMD_AUX_ON:
		k->config &= (uint8_t)~CONFIG_AUX_OFF;
		break;
	case CMD_AUX_TEST:
	case CMD_KBD_TEST:
		put(k, 0x00, 0);
		break;
	case CMD_SELF_TEST:
		self_test(k);
		break;
	case CMD_KBD_OFF:
		k->config |= CONFIG_KBD_OFF;
		break;
	case CMD_KBD_ON:
		k->config &= (uint8_t)~CONFIG_KBD_OFF;
		break;
	case CMD_READ_INPUT:
		put(k, 0x80, 0);	/* the keyboard is not locked */
		break;
	case CMD_READ_OUT:
		put(k, out_port(k), 0);
		break;
	case CMD_A20_OFF:
	case CMD_A20_ON:
		write_out_port(k, value);
		break;
	case CMD_WRITE_OUT:
	case CMD_FROM_KBD:
	case CMD_FROM_AUX:
	case CMD_TO_AUX:
		k->pending = value;
		break;
	}
}

static void kbc_data(struct i8042 *k, uint8_t value)
{
	uint8_t command = k->pending;

	k->pending = 0;
	switch (command) {
	case 0:
		/* Talking to the keyboard switches its line on. */
		k->config &= (uint8_t)~CONFIG_KBD_OFF;
		kbd_command(k, value);
		break;
	case CMD_WRITE_OUT:
		write_out_port(k, value);
		break;
	case CMD_FROM_KBD:
		put(k, value, 0);
		break;
	case CMD_FROM_AUX:
		put(k, value, STATUS_AUX);
		break;
	case CMD_TO_AUX:
		put(k, KBD_RESEND, STATUS_AUX | STATUS_TIMEOUT);
		break;
	default:
		write_ram(k, command & 0x1f, value);
	}
}

static uint64_t data_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct i8042 *k = (struct i8042 *)dev;
	uint8_t value = k->out;

	(void)offset;
	(void)size;
	k->status &= (uint8_t)~(STATUS_OBF | STATUS_AUX | STATUS_TIMEOUT);
	update_irq(k);
	pump(k);
	return value;
}

static void data_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	struct i8042 *k = (struct i8042 *)dev;

	(void)offset;
	(void)size;
	k->status &= (uint8_t)~STATUS_COMMAND;
	kbc_data(k, (uint8_t)value);
	pump(k);
}

static uint64_t status_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)offset;
	(void)size;
	return ((struct i8042 *)dev)->status;
}

static void command_write(struct device *dev, uint64_t offset, unsigned size,
			  uint64_t value)
{
	struct i8042 *k = (struct i8042 *)dev;

	(void)offset;
	(void)size;
	k->status |= STATUS_COMMAND;
	kbc_command(k, (uint8_t)value);
	pump(k);
}

static const struct region_ops data_ops = {
	.read = data_read, .write = data_write, .max_size = 1,
};
static const struct region_ops command_ops = {
	.read = status_read, .write = command_write, .max_size = 1,
};

/* As a BIOS leaves it: some kernels that are booted directly expect that. */
static void i8042_reset(struct device *dev)
{
	struct i8042 *k = (struct i8042 *)dev;

	k->status = STATUS_UNLOCKED | STATUS_COMMAND | STATUS_SYS;
	k->config = CONFIG_KBD_IRQ | CONFIG_SYS | CONFIG_XLATE | CONFIG_AUX_OFF;
	k->out_port = OUT_ONES | OUT_RUN | OUT_A20;
	memset(k->ram, 0, sizeof(k->ram));
	k->pending = k->kbd_pending = k->out = k->last_sent = 0;
	k->scanning = true;
	kbd_defaults(k);
	k->typed_head = k->n_typed = 0;
	vm_timer_cancel(&k->typist);
	update_irq(k);
}

static void i8042_fini(struct device *dev)
{
	free(dev);
}

static const struct state_field i8042_fields[] = {
	STATE_NUMBER(struct i8042, status),
	STATE_NUMBER(struct i8042, config),
	STATE_NUMBER(struct i8042, out_port),
	STATE_BYTES(struct i8042, ram),
	STATE_NUMBER(struct i8042, pending),
	STATE_NUMBER(struct i8042, out),
	STATE_BOOL(struct i8042, scanning),
	STATE_NUMBER(struct i8042, kbd_pending),
	STATE_NUMBER(struct i8042, scan_set),
	STATE_NUMBER(struct i8042, last_sent),
	STATE_BOOL(struct i8042, in_break),
	STATE_BYTES(struct i8042, queue),
	STATE_NUMBER(struct i8042, head, .max = QUEUE_SIZE - 1),
	STATE_NUMBER(struct i8042, n_queued, .max = QUEUE_SIZE),
	STATE_BYTES(struct i8042, typed, .since = 2),
	STATE_NUMBER(struct i8042, typed_head, .since = 2,
		     .max = KBD_TYPE_MAX - 1),
	STATE_NUMBER(struct i8042, n_typed, .since = 2, .max = KBD_TYPE_MAX),
	STATE_TIMER(struct i8042, typist, .since = 2),
};
STATE_TRANSIENT(struct i8042, "how the machine was made", dev, data, command, irq, aux_irq);

static const struct state_table i8042_state = {
	.version = 2, STATE_FIELDS(i8042_fields),
};

static const struct device_ops i8042_ops = {
	.name = "8042", .reset = i8042_reset, .fini = i8042_fini,
	.state = &i8042_state,
};

int i8042_new(struct vm *vm, struct i8042 **out, struct err *e)
{
	struct i8042 *k = calloc(1, sizeof(*k));

	if (!k)
		return fail_rc(e, -ENOMEM, "8042");
	device_add(vm, &k->dev, &i8042_ops);
	bus_add(vm, &k->data, &k->dev, &data_ops, BUS_PIO, 0x60, 1);
	bus_add(vm, &k->command, &k->dev, &command_ops, BUS_PIO, 0x64, 1);
	vm_timer_init(&k->typist, vm, typist_fire, k);
	k->irq = irq_isa(vm, 1);
	k->aux_irq = irq_isa(vm, 12);
	i8042_reset(&k->dev);
	if (out)
		*out = k;
	return 0;
}
