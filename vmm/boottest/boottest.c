/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boottest.c - what the machine tells comes in here. */
#include "vmm/boottest/boottest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/boottest/verdict.h"
#include "vmm/vm.h"

static void on_text(void *arg, enum watch_port port, uint8_t byte)
{
	enum boot_source source = port == WATCH_DEBUG ? SOURCE_DEBUG :
							SOURCE_SERIAL;
	struct boot_test *bt = arg;
	char text[BOOT_LINE_MAX];

	pthread_mutex_lock(&bt->lock);
	if (!bt->over) {
		boot_progress(bt);
		if (lines_put(&bt->lines[port], byte, text)) {
			boot_keep(bt, source, text);
			boot_line(bt, source, text);
		}
	}
	pthread_mutex_unlock(&bt->lock);
}

static void on_disk(void *arg, unsigned disk, bool write, uint64_t sector,
		    uint64_t n_sectors)
{
	struct boot_test *bt = arg;

	pthread_mutex_lock(&bt->lock);
	if (!bt->over && !disk)
		boot_disk(bt, write, sector, n_sectors);
	pthread_mutex_unlock(&bt->lock);
}

static void on_driver(void *arg, const char *device, uint64_t features)
{
	struct boot_test *bt = arg;

	pthread_mutex_lock(&bt->lock);
	if (!bt->over && !strcmp(device, "virtio-blk"))
		boot_driver(bt, features);
	pthread_mutex_unlock(&bt->lock);
}

static void on_network(void *arg, unsigned card,
		       const struct vm_net_host *host)
{
	struct boot_test *bt = arg;

	pthread_mutex_lock(&bt->lock);
	if (!bt->over)
		boot_network(bt, card, host);
	pthread_mutex_unlock(&bt->lock);
}

static void on_mode(void *arg, unsigned seen)
{
	struct boot_test *bt = arg;

	pthread_mutex_lock(&bt->lock);
	if (!bt->over)
		boot_modes(bt, seen);
	pthread_mutex_unlock(&bt->lock);
}

static void on_reset(void *arg)
{
	struct boot_test *bt = arg;

	pthread_mutex_lock(&bt->lock);
	if (!bt->over)
		boot_anew(bt);
	pthread_mutex_unlock(&bt->lock);
}

static void on_tick(void *arg)
{
	struct boot_test *bt = arg;

	pthread_mutex_lock(&bt->lock);
	if (!bt->over)
		boot_tick(bt);
	pthread_mutex_unlock(&bt->lock);
	vm_look(bt->vm);
}

int boot_test_new(const struct boot_test_config *config, struct img *img,
		  struct boot_test **out, struct err *e)
{
	struct boot_test *bt = calloc(1, sizeof(*bt));
	int rc;

	if (!bt)
		return fail(e, ENOMEM, "out of memory");
	bt->config = *config;
	if (config->text && regcomp(&bt->text, config->text,
				    REG_EXTENDED | REG_NOSUB)) {
		free(bt);
		return fail(e, EINVAL, "'%s' is no extended regular "
			    "expression", config->text);
	}
	pthread_mutex_init(&bt->lock, NULL);
	bt->watch = (struct vm_watch){
		.arg = bt, .text = on_text, .disk = on_disk,
		.driver = on_driver, .network = on_network, .mode = on_mode,
		.reset = on_reset,
	};
	rc = rules_init(&bt->rules, e);
	if (rc) {
		boot_test_free(bt);
		return rc;
	}
	disk_look(img, &bt->kind);
	*out = bt;
	return 0;
}

void boot_test_free(struct boot_test *bt)
{
	if (!bt)
		return;
	free(bt->screen);
	rules_fini(&bt->rules);
	if (bt->config.text)
		regfree(&bt->text);
	pthread_mutex_destroy(&bt->lock);
	free(bt);
}

const struct vm_watch *boot_test_watch(struct boot_test *bt)
{
	return &bt->watch;
}

void boot_test_begin(struct boot_test *bt, struct vm *vm)
{
	bt->vm = vm;
	boot_network_begin(bt);
	bt->begin_s = bt->progress_s = boot_host_s();
	vm_timer_init(&bt->tick, vm, on_tick, bt);
	vm_timer_arm(&bt->tick, vm_now(vm) + 1);
}
