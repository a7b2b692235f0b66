/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accel.c - finding an accelerator, and asking KVM how good it is. */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/lib/scratch.h"
#include "vmm/accel.h"

static unsigned count_lines(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned n = 0;
	int c;

	CHECK(f);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static void test_find(void)
{
	CHECK(accel_find("kvm") == &accel_kvm);
	CHECK(accel_at(0) == &accel_kvm);
	CHECK(!accel_find(""));
	CHECK(!accel_find("kv"));
	CHECK(!accel_at(100));
}

static void check_report(const struct accel_report *r)
{
	CHECK(r->text.text[0]);
	CHECK(r->quality != ACCEL_USABLE || r->mips == 0 || r->mips > 1);
	CHECK(r->quality != ACCEL_ABSENT || r->mips == 0);
}

static void test_auto(void)
{
	struct accel_report kvm, report;
	const struct accel *accel = accel_auto(&report);

	accel_kvm.probe(&kvm);
	check_report(&report);
	CHECK_EQ(accel == &accel_kvm, kvm.quality == ACCEL_USABLE);
	CHECK_EQ(!accel, report.quality != ACCEL_USABLE);
	CHECK(accel || strstr(report.text.text, "no accelerator is usable"));
	printf("kvm: %s\n", kvm.text.text);
}

/* Nothing stays open, mapped, pending or blocked. */
static void test_leaks(void)
{
	struct accel_report r;
	sigset_t before, after;
	unsigned fds, maps;

	accel_kvm.probe(&r);
	pthread_sigmask(SIG_BLOCK, NULL, &before);
	fds = count_names("/proc/self/fd");
	maps = count_lines("/proc/self/maps");
	for (unsigned i = 0; i < 30; i++) {
		accel_kvm.probe(&r);
		check_report(&r);
	}
	CHECK_EQ(count_names("/proc/self/fd"), fds);
	CHECK_EQ(count_lines("/proc/self/maps"), maps);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	CHECK(!memcmp(&before, &after, 8));
	CHECK_EQ(sigpending(&after), 0);
	CHECK(sigisemptyset(&after));
}

static void *probe_often(void *arg)
{
	enum accel_quality quality = *(enum accel_quality *)arg;
	struct accel_report r;

	for (unsigned i = 0; i < 5; i++) {
		accel_kvm.probe(&r);
		check_report(&r);
		CHECK_EQ(r.quality, quality);
	}
	return NULL;
}

static void test_threads(void)
{
	struct accel_report r;
	pthread_t threads[3];

	accel_kvm.probe(&r);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, probe_often,
					&r.quality), 0);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

/* No descriptor for /dev/kvm, or for what comes after it: absent, and why. */
static void test_absent(void)
{
	for (unsigned extra = 0; extra < 3; extra++) {
		pid_t child = fork();
		int status;

		if (!child) {
			struct rlimit few = { 3 + extra, 3 + extra };
			struct accel_report r;

			CHECK_EQ(close_range(3, ~0u, 0), 0);
			CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
			accel_kvm.probe(&r);
			CHECK_EQ(r.quality, ACCEL_ABSENT);
			CHECK(r.text.text[0]);
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child);
		CHECK_EQ(status, 0);
	}
}

int main(void)
{
	test_find();
	test_auto();
	test_leaks();
	test_threads();
	test_absent();
	return 0;
}
