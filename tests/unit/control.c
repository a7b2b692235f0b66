/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.c - the control socket: every command on a machine with a fake
 * accelerator, and clients that mean harm.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imgfmt/base/thread.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/scratch.h"
#include "vmm/chip/pci_host.h"
#include "vmm/control.h"
#include "vmm/pc.h"
#include "vmm/unixsock.h"

#define MIB (1ull << 20)

/* Each vCPU counts its turns, which a kick ends. */
static _Atomic unsigned turns;

static int turn(struct vcpu *cpu, enum vcpu_exit *why, struct err *e)
{
	(void)e;
	atomic_fetch_add(&turns, 1);
	vcpu_count(cpu, VM_EXIT_PIO);
	fakevm_wait(cpu);
	vcpu_count(cpu, VM_EXIT_KICK);
	*why = VCPU_KICKED;
	return 0;
}

struct machine {
	struct vm *vm;
	struct control *control;
	struct vm_result result;
	pthread_t thread;
};

static void *run(void *arg)
{
	struct machine *m = arg;
	struct err e = { "" };

	CHECK_OK(vm_run(m->vm, &m->result, &e));
	return NULL;
}

static void make(struct machine *m)
{
	struct vm_config config;
	struct err e = { "" };

	fakevm_config(&config, 4 * MIB, 2);
	config.virtual_clock = false;
	config.no_reboot = true;
	config.timeout = 100 * NS_PER_S;	/* a hang fails */
	CHECK_OK(vm_new(&config, &m->vm, &e));
	fakevm_of(m->vm)->run = turn;
	CHECK_OK(vm_add_balloon(m->vm, VM_BUS_PCI, &e));
	CHECK_OK(control_open("sock", &m->control, &e));
	CHECK_OK(control_start(m->control, m->vm, "of sand", &e));
}

static void start(struct machine *m)
{
	CHECK_EQ(thread_start(&m->thread, "run", run, m), 0);
}

static void finish(struct machine *m, enum vm_end end)
{
	pthread_join(m->thread, NULL);
	CHECK_EQ(m->result.end, end);
	control_stop(m->control);
	vm_free(m->vm);
	control_close(m->control);
}

static int enter(void)
{
	struct err e = { "" };
	int fd;

	CHECK_OK(unixsock_connect("sock", &fd, &e));
	return fd;
}

static void say(int fd, const char *text, size_t len)
{
	CHECK_EQ(send(fd, text, len, MSG_NOSIGNAL), len);
}

static void say_text(int fd, const char *text)
{
	say(fd, text, strlen(text));
}

/* The next line, or "" at the end. */
static const char *hear(int fd, char line[4096])
{
	size_t len = 0;

	while (len < 4095 && recv(fd, line + len, 1, 0) == 1)
		if (line[len++] == '\n')
			break;
	line[len] = 0;
	return line;
}

static json_t *ask(int fd, const char *request)
{
	char line[4096];
	json_t *answer;

	say_text(fd, request);
	say_text(fd, "\n");
	answer = json_loads(hear(fd, line), 0, NULL);
	CHECK(json_is_object(answer));
	return answer;
}

/* A string or number at result.KEY, as text. */
static void want(int fd, const char *request, const char *key, const char *value)
{
	json_t *answer = ask(fd, request);
	json_t *o = json_object_get(json_object_get(answer, "result"), key);
	char text[40] = "";

	if (json_is_string(o))
		snprintf(text, sizeof(text), "%s", json_string_value(o));
	else if (json_is_integer(o))
		snprintf(text, sizeof(text), "%lld",
			 (long long)json_integer_value(o));
	CHECK_STR(text, value);
	json_decref(answer);
}

static void refused(int fd, const char *request, const char *why)
{
	json_t *answer = ask(fd, request);
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (!error || !strstr(error, why)) {
		fprintf(stderr, "%s: %s\n", request, error ? error : "obeyed");
		exit(1);
	}
	CHECK(!json_object_get(answer, "result"));
	json_decref(answer);
}

static void done(int fd, const char *request)
{
	json_t *answer = ask(fd, request);

	CHECK(json_is_object(json_object_get(answer, "result")));
	json_decref(answer);
}

static void await_resets(int fd, const char *n)
{
	for (;;) {
		json_t *answer = ask(fd, "{\"command\":\"status\"}");
		char text[20];

		snprintf(text, sizeof(text), "%d", (int)json_integer_value(
			json_object_get(json_object_get(answer, "result"),
					"resets")));
		json_decref(answer);
		if (!strcmp(text, n))
			return;
	}
}

/* Has the guest been told?  A reset takes the ports away. */
static bool is_pressed(struct vm *vm)
{
	vm_lock(vm);
	pci_assign_resources(vm);
	vm_unlock(vm);
	return bus_read(vm, BUS_PIO, PC_PM_BASE, 2) & 0x100;
}

static void commands(void)
{
	struct machine m;
	struct stat st;
	json_t *answer, *o;
	unsigned n;
	int fd;

	make(&m);
	CHECK_EQ(stat("sock", &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0600);
	fd = enter();

	/* Before it runs: it may be paused, and then it does not. */
	want(fd, "{\"command\":\"status\"}", "state", "starting");
	done(fd, "{\"command\":\"pause\"}");
	start(&m);
	usleep(20000);
	CHECK_EQ(atomic_load(&turns), 0);
	want(fd, "{\"command\":\"status\"}", "state", "paused");
	done(fd, "{\"command\":\"resume\"}");
	while (atomic_load(&turns) < 2)
		usleep(100);
	want(fd, "{\"command\":\"status\"}", "state", "running");
	want(fd, "{\"command\":\"status\"}", "sandbox", "of sand");
	want(fd, "{\"command\":\"status\"}", "accelerator", "fake");
	want(fd, "{\"command\":\"status\"}", "cpus", "2");
	want(fd, "{\"command\":\"status\"}", "memory", "4194304");

	done(fd, "{\"command\":\"pause\"}");
	done(fd, "{\"command\":\"pause\"}");
	n = atomic_load(&turns);
	usleep(20000);
	CHECK_EQ(atomic_load(&turns), n);
	answer = ask(fd, "{\"command\":\"stats\",\"id\":[1,null]}");
	o = json_object_get(json_object_get(answer, "result"), "cpus");
	CHECK_EQ(json_array_size(o), 2);
	o = json_object_get(json_array_get(o, 1), "exits");
	CHECK(json_integer_value(json_object_get(o, "pio")) > 0);
	CHECK_EQ(json_integer_value(json_object_get(o, "mmio")), 0);
	CHECK_EQ(json_array_size(json_object_get(answer, "id")), 2);
	json_decref(answer);
	done(fd, "{\"command\":\"resume\"}");
	done(fd, "{\"command\":\"resume\"}");

	want(fd, "{\"command\":\"balloon\"}", "wanted", "0");
	want(fd, "{\"command\":\"balloon\",\"bytes\":1048576}", "wanted",
	     "1048576");
	refused(fd, "{\"command\":\"balloon\",\"bytes\":-1}", "whole number");
	refused(fd, "{\"command\":\"balloon\",\"bytes\":1.5}", "whole number");
	refused(fd, "{\"command\":\"balloon\",\"bytes\":4198400}",
		"more than");
	refused(fd, "{\"command\":\"balloon\",\"bytes\":1e400}", "not JSON");

	CHECK(!is_pressed(m.vm));
	done(fd, "{\"command\":\"powerdown\"}");
	CHECK(is_pressed(m.vm));

	/* no_reboot is for the guest. */
	done(fd, "{\"command\":\"reset\"}");
	await_resets(fd, "1");
	CHECK(!is_pressed(m.vm));
	done(fd, "{\"command\":\"pause\"}");
	done(fd, "{\"command\":\"reset\"}");
	want(fd, "{\"command\":\"status\"}", "resets", "1");
	done(fd, "{\"command\":\"resume\"}");
	await_resets(fd, "2");

	done(fd, "{\"command\":\"pause\"}");
	done(fd, "{\"command\":\"reset\"}");
	done(fd, "{\"command\":\"quit\"}");
	finish(&m, VM_STOPPED);
	close(fd);
}

static void bad_requests(void)
{
	static const char with_nul[] = "{\"command\":\"quit\0\"}\n";
	static char big[CONTROL_LINE + 2];
	struct machine m;
	char line[4096];
	int fd;

	make(&m);
	start(&m);
	fd = enter();
	refused(fd, "junk", "not JSON");
	refused(fd, "{\"command\":\"status\"", "not JSON");
	refused(fd, "{\"command\":\"status\",\"command\":\"quit\"}",
		"not JSON");
	refused(fd, "\xff\xfe", "not JSON");
	refused(fd, "[]", "an object");
	refused(fd, "{}", "an object");
	refused(fd, "{\"command\":7}", "an object");
	refused(fd, "{\"command\":\"jump\"}", "no command 'jump'");
	refused(fd, "{\"command\":\"quit\",\"when\":1}", "no member 'when'");
	refused(fd, "{\"command\":\"quit\",\"bytes\":1}", "no member 'bytes'");
	refused(fd, "{\"command\":\"screendump\"}", "no screen");
	refused(fd, "{\"command\":\"screendump\",\"format\":\"gif\"}",
		"must be \"text\" or");
	refused(fd, "{\"command\":\"screendump\",\"format\":1}", "or");
	refused(fd, "{\"command\":\"sendkeys\"}", "needs");
	refused(fd, "{\"command\":\"sendkeys\",\"text\":\"a\","
		"\"keys\":[\"a\"]}", "needs");
	refused(fd, "{\"command\":\"sendkeys\",\"keys\":\"a\"}", "array");
	refused(fd, "{\"command\":\"sendkeys\",\"keys\":[\"a\",1]}",
		"element 1");
	refused(fd, "{\"command\":\"sendkeys\",\"keys\":[\"a\",\"big\"]}",
		"no key 'big'");
	refused(fd, "{\"command\":\"sendkeys\",\"text\":7}", "string");
	say(fd, with_nul, sizeof(with_nul) - 1);
	CHECK(strstr(hear(fd, line), "not JSON"));

	/* Deeper than any parser should go. */
	memset(big, '[', CONTROL_LINE);
	big[CONTROL_LINE] = 0;
	refused(fd, big, "not JSON");

	/* In pieces, with empty lines, and two at once. */
	say_text(fd, "\n\r\n {\"comm");
	usleep(1000);
	say_text(fd, "and\":\"jump\",\"id\":1}\r\n"
		 "{\"command\":\"jump\",\"id\":2}\n{");
	CHECK(strstr(hear(fd, line), "\"id\":1"));
	CHECK(strstr(hear(fd, line), "\"id\":2"));
	/* The rest of a line never comes. */
	close(fd);

	/* Asked all, then no more: there are answers. */
	fd = enter();
	say_text(fd, "{\"command\":\"status\"}\n{\"id\":3}\n{");
	shutdown(fd, SHUT_WR);
	CHECK(strstr(hear(fd, line), "\"state\""));
	CHECK(strstr(hear(fd, line), "\"id\":3"));
	CHECK_STR(hear(fd, line), "");
	close(fd);

	/* One byte more than a line may have ends it. */
	fd = enter();
	memset(big, ' ', CONTROL_LINE + 1);
	say(fd, big, CONTROL_LINE + 1);
	CHECK(strstr(hear(fd, line), "longer than 64 KiB"));
	CHECK_STR(hear(fd, line), "");
	close(fd);

	fd = enter();
	memset(big, ' ', CONTROL_LINE);
	memcpy(big, "{\"command\":\"quit\"}", 18);
	big[CONTROL_LINE] = '\n';
	say(fd, big, CONTROL_LINE + 1);
	CHECK(strstr(hear(fd, line), "result"));
	finish(&m, VM_STOPPED);
	close(fd);
}

/* Who does not read his answers is not asked for more, and holds up nobody. */
static void silent_readers(void)
{
	static const char request[] = "{\"command\":\"stats\"}\n";
	struct machine m;
	int bad[3], fd;
	size_t sent[3] = { 0, 0, 0 }, i, n = 0;

	make(&m);
	start(&m);
	for (i = 0; i < 3; i++)
		bad[i] = enter();
	for (i = 0; i < 3; i++) {
		struct pollfd p = { .fd = bad[i], .events = POLLOUT };

		while (poll(&p, 1, 200) > 0 && sent[i] < 64 * MIB) {
			ssize_t got = send(bad[i], request, strlen(request),
					   MSG_DONTWAIT | MSG_NOSIGNAL);

			sent[i] += got > 0 ? (size_t)got : 0;
		}
		CHECK(sent[i] < 64 * MIB);
	}
	fd = enter();
	want(fd, "{\"command\":\"status\"}", "state", "running");
	/* One of them wakes up, and gets all that it asked for. */
	CHECK_EQ(shutdown(bad[0], SHUT_WR), 0);
	for (char buf[4096]; ; ) {
		ssize_t got = recv(bad[0], buf, sizeof(buf), 0);

		if (got <= 0)
			break;
		for (ssize_t k = 0; k < got; k++)
			n += buf[k] == '\n';
	}
	CHECK_EQ(n, sent[0] / strlen(request));
	close(bad[1]);
	done(fd, "{\"command\":\"quit\"}");
	finish(&m, VM_STOPPED);
	close(bad[0]);
	close(bad[2]);
	close(fd);
}

static void *chat(void *arg)
{
	static const char *const requests[] = {
		"{\"command\":\"pause\"}", "{\"command\":\"stats\"}",
		"{\"command\":\"resume\"}", "{\"command\":\"status\"}",
		"{\"command\":\"reset\"}", "{\"command\":\"balloon\"}",
		"{\"command\":\"powerdown\"}",
	};
	int fd = enter();

	for (unsigned i = 0; i < 200; i++)
		done(fd, requests[(i * 5 + (uintptr_t)arg) % 7]);
	close(fd);
	return NULL;
}

static void many_clients(void)
{
	struct machine m;
	pthread_t threads[8];
	int fds[CONTROL_CLIENTS], fd;
	char line[4096];
	unsigned i;

	make(&m);
	start(&m);
	for (i = 0; i < CONTROL_CLIENTS; i++) {
		fds[i] = enter();
		want(fds[i], "{\"command\":\"status\"}", "accelerator", "fake");
	}
	fd = enter();
	CHECK(strstr(hear(fd, line), "16 clients"));
	CHECK_STR(hear(fd, line), "");
	close(fd);
	close(fds[3]);
	/* Its place is free as soon as the thread has seen that. */
	for (;;) {
		fds[3] = enter();
		if (send(fds[3], "{}\n", 3, MSG_NOSIGNAL) == 3 &&
		    strstr(hear(fds[3], line), "an object"))
			break;
		close(fds[3]);
	}
	for (i = 0; i < CONTROL_CLIENTS; i++)
		close(fds[i]);

	for (i = 0; i < 8; i++)
		CHECK_EQ(thread_start(&threads[i], "client", chat,
				      (void *)(uintptr_t)i), 0);
	for (i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	fd = enter();
	done(fd, "{\"command\":\"quit\"}");
	finish(&m, VM_STOPPED);
	close(fd);
}

/* A machine that is stopped while it is to reset ends nevertheless. */
static int stop_and_reset(struct vcpu *cpu, enum vcpu_exit *why, struct err *e)
{
	(void)e;
	vm_lock(cpu->vm);
	vm_stop(cpu->vm);
	vm_request_reset(cpu->vm, "test");
	vm_unlock(cpu->vm);
	*why = VCPU_KICKED;
	return 0;
}

static void stop_wins(void)
{
	struct machine m;

	make(&m);
	m.vm->config.no_reboot = false;
	fakevm_of(m.vm)->run = stop_and_reset;
	start(&m);
	finish(&m, VM_STOPPED);
}

static void paths(void)
{
	struct control *a, *b;
	struct err e = { "" };
	char name[200];
	int fd;

	CHECK_OK(control_open("sock", &a, &e));
	CHECK_EQ(control_open("sock", &b, &e), -EADDRINUSE);
	CHECK(strstr(e.text, "in use by another"));
	control_close(a);
	/* A dead one. */
	CHECK_OK(unixsock_listen("sock", 0600, &fd, &e));
	close(fd);
	CHECK_OK(control_open("sock", &a, &e));
	control_close(a);
	CHECK_EQ(control_open("", &a, &e), -EINVAL);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	CHECK_EQ(control_open(name, &a, &e), -EINVAL);
	CHECK_EQ(control_open("no/folder", &a, &e), -ENOENT);
	CHECK_EQ(mkdir("folder", 0700), 0);
	CHECK_EQ(control_open("folder", &a, &e), -EEXIST);
	CHECK(strstr(e.text, "not a socket"));
}

int main(void)
{
	scratch_enter();
	paths();
	commands();
	bad_requests();
	silent_readers();
	many_clients();
	stop_wins();
	return 0;
}
