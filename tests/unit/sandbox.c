/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.c - inside the sandbox nothing can be opened, run, reached, debugged,
 * forked or made executable, and what a machine needs still works.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "imgfmt/base/thread.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"
#include "vmm/sandbox.h"

static int devnull, sock, udp;
static pid_t parent;
static volatile sig_atomic_t expected;	/* the call that will be stopped */

#define STOPPED	17
#define PASSED	0
#define OTHER	18

static void on_violation(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	_exit(info->si_syscall == expected ? STOPPED : OTHER);
}

/* Without the handler's way back it never returns. */
static int stopped(int call, long rc)
{
	fprintf(stderr, "call %d returned %ld\n", call, rc);
	return 1;
}
#define STOPS(call, ...)						\
	(expected = (call), stopped(call, syscall(call, __VA_ARGS__)))
/* Refused, and life goes on. */
#define REFUSED(error, ...)						\
	(syscall(__VA_ARGS__) == -1 && errno == (error) ? PASSED : 1)

static int do_open(void) { return REFUSED(EACCES, SYS_open, "/dev/null", O_RDONLY); }
static int do_openat(void)
{
	return REFUSED(EACCES, SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}
static int do_creat(void) { return STOPS(SYS_creat, "new", 0600); }
static int do_openat2(void) { return STOPS(SYS_openat2, AT_FDCWD, ".", 0, 0); }
static int do_unlink(void) { return STOPS(SYS_unlink, "none"); }
static int do_rename(void) { return STOPS(SYS_rename, "none", "nowhere"); }
static int do_stat(void)
{
	struct stat st;

	return STOPS(SYS_newfstatat, AT_FDCWD, "/", &st, 0);
}

static int do_execve(void)
{
	char *argv[] = { "/bin/true", NULL };

	return STOPS(SYS_execve, argv[0], argv, NULL);
}

static int do_socket(void) { return STOPS(SYS_socket, AF_INET, SOCK_STREAM, 0); }
static int do_connect(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "x" };

	return STOPS(SYS_connect, sock, &addr, sizeof(addr));
}

static int do_sendto(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = 9 };

	return STOPS(SYS_sendto, udp, "x", 1, 0, &addr, sizeof(addr));
}

static int do_sendmsg(void) { return STOPS(SYS_sendmsg, sock, NULL, 0); }
static int do_ptrace(void)
{
	return STOPS(SYS_ptrace, PTRACE_ATTACH, parent, 0, 0);
}

static int do_vm_write(void)
{
	return STOPS(SYS_process_vm_writev, parent, NULL, 0, NULL, 0, 0);
}

static int do_fork(void) { return STOPS(SYS_fork, 0); }
static int do_vfork(void) { return STOPS(SYS_vfork, 0); }
static int do_clone(void) { return STOPS(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static int do_clone_newns(void)
{
	return STOPS(SYS_clone, 0x3d0f00 | CLONE_NEWUSER, 0, 0, 0, 0);
}

static int do_clone3(void) { return REFUSED(ENOSYS, SYS_clone3, NULL, 0); }
static int do_unshare(void) { return STOPS(SYS_unshare, CLONE_NEWUSER); }
static int do_mmap(void)
{
	return STOPS(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int do_mprotect(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 1;
	return STOPS(SYS_mprotect, p, 4096, PROT_READ | PROT_EXEC);
}

static int do_pkey(void)
{
	return STOPS(SYS_pkey_mprotect, NULL, 4096, PROT_EXEC, -1);
}

static int do_kill(void) { return STOPS(SYS_kill, parent, SIGTERM); }
static int do_tgkill(void)
{
	return STOPS(SYS_tgkill, parent, parent, SIGTERM);
}

static int do_setuid(void) { return STOPS(SYS_setuid, 1); }
static int do_mount(void) { return STOPS(SYS_mount, "", "/", "", 0, 0); }
static int do_bpf(void) { return STOPS(SYS_bpf, 0, 0, 0); }
static int do_io_uring(void) { return STOPS(SYS_io_uring_setup, 1, 0); }
static int do_keyctl(void) { return STOPS(SYS_keyctl, 0, 0); }
static int do_limit(void)
{
	return STOPS(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, NULL);
}

static int do_dump(void) { return STOPS(SYS_prctl, PR_SET_DUMPABLE, 1); }
static int do_pipe_size(void) { return STOPS(SYS_fcntl, devnull, 1031, 4096); }
static int do_owner(void)
{
	return STOPS(SYS_fcntl, devnull, F_SETOWN, parent);
}

/* Bytes typed into the terminal that we are in. */
static int do_tiocsti(void) { return STOPS(SYS_ioctl, 0, TIOCSTI, "x"); }
static int do_create_vm(void)
{
	return STOPS(SYS_ioctl, devnull, KVM_CREATE_VM, 0);
}

/* The same numbers of another instruction set: there is no handler's way. */
static int do_int80(void)
{
	long rc;

	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(20) : "memory");
	return 1;
}

static int do_x32(void) { return STOPS(0x40000000 | SYS_getpid, 0); }

static int do_core(void)
{
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void *thread(void *arg)
{
	char name[16] = "";

	pthread_getname_np(pthread_self(), name, sizeof(name));
	*(bool *)arg = !strcmp(name, "a-thread");
	return malloc(100000);
}

/* What a machine does. */
static int do_work(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct stat st;
	bool named = false;
	pthread_t t;
	void *p;

	CHECK(fd >= 0);
	CHECK_EQ(thread_start(&t, "a-thread", thread, &named), 0);
	CHECK_EQ(pthread_join(t, &p), 0);
	CHECK(named);
	free(p);
	CHECK_EQ(fstat(devnull, &st), 0);
	p = malloc(64 << 20);
	CHECK(p);
	p = realloc(p, 128 << 20);
	CHECK(p);
	free(p);
	CHECK_EQ(write(devnull, "x", 1), 1);
	CHECK_EQ(send(sock, "x", 1, MSG_NOSIGNAL), -1);
	return PASSED;
}

/* No descriptor that the program was started with, and not many more. */
static int do_descriptors(void)
{
	int fd, n = 0;

	CHECK_EQ(fcntl(700, F_GETFD), -1);
	CHECK_EQ(errno, EBADF);
	while ((fd = eventfd(0, 0)) >= 0)
		n++;
	CHECK_EQ(errno, EMFILE);
	CHECK(n >= 10 && n < 300);
	return PASSED;
}

static const struct attempt {
	const char *name;
	int (*run)(void);
	int status;
	int sig;
} attempts[] = {
	{ "open", do_open, PASSED, 0 },
	{ "openat", do_openat, PASSED, 0 },
	{ "clone3", do_clone3, PASSED, 0 },
	{ "work", do_work, PASSED, 0 },
	{ "descriptors", do_descriptors, PASSED, 0 },
	{ "creat", do_creat, STOPPED, 0 },
	{ "openat2", do_openat2, STOPPED, 0 },
	{ "unlink", do_unlink, STOPPED, 0 },
	{ "rename", do_rename, STOPPED, 0 },
	{ "stat", do_stat, STOPPED, 0 },
	{ "execve", do_execve, STOPPED, 0 },
	{ "socket", do_socket, STOPPED, 0 },
	{ "connect", do_connect, STOPPED, 0 },
	{ "sendto", do_sendto, STOPPED, 0 },
	{ "sendmsg", do_sendmsg, STOPPED, 0 },
	{ "ptrace", do_ptrace, STOPPED, 0 },
	{ "process_vm_writev", do_vm_write, STOPPED, 0 },
	{ "fork", do_fork, STOPPED, 0 },
	{ "vfork", do_vfork, STOPPED, 0 },
	{ "clone", do_clone, STOPPED, 0 },
	{ "clone with a name space", do_clone_newns, STOPPED, 0 },
	{ "unshare", do_unshare, STOPPED, 0 },
	{ "mmap", do_mmap, STOPPED, 0 },
	{ "mprotect", do_mprotect, STOPPED, 0 },
	{ "pkey_mprotect", do_pkey, STOPPED, 0 },
	{ "kill", do_kill, STOPPED, 0 },
	{ "tgkill", do_tgkill, STOPPED, 0 },
	{ "setuid", do_setuid, STOPPED, 0 },
	{ "mount", do_mount, STOPPED, 0 },
	{ "bpf", do_bpf, STOPPED, 0 },
	{ "io_uring_setup", do_io_uring, STOPPED, 0 },
	{ "keyctl", do_keyctl, STOPPED, 0 },
	{ "prlimit64", do_limit, STOPPED, 0 },
	{ "prctl", do_dump, STOPPED, 0 },
	{ "fcntl F_SETPIPE_SZ", do_pipe_size, STOPPED, 0 },
	{ "fcntl F_SETOWN", do_owner, STOPPED, 0 },
	{ "ioctl TIOCSTI", do_tiocsti, STOPPED, 0 },
	{ "ioctl KVM_CREATE_VM", do_create_vm, STOPPED, 0 },
	{ "int 0x80", do_int80, 0, SIGSYS },
	{ "x32", do_x32, 0, SIGSYS },
	{ "core", do_core, 0, SIGABRT },
};

static struct sandbox box;

static void child(const struct attempt *a, bool kvm)
{
	struct sigaction sa = { .sa_sigaction = on_violation,
				.sa_flags = SA_SIGINFO };
	struct err e = { "" };

	sigaction(SIGSYS, &sa, NULL);
	box.kvm = kvm;
	box.more_fds = 32;
	CHECK_OK(sandbox_enter(&box, &e));
	_exit(a->run());
}

static void attempt(const struct attempt *a, bool kvm)
{
	pid_t pid = fork();
	int status = 0, sig;

	if (!pid)
		child(a, kvm);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	if (sig != a->sig || WCOREDUMP(status) ||
	    (!sig && WEXITSTATUS(status) != a->status)) {
		fprintf(stderr, "%s: status %#x\n", a->name, status);
		exit(1);
	}
}

/* Landlock alone, should the other wall have a hole. */
static int try_landlock(void)
{
	struct err e = { "" };
	int abi;

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	abi = sandbox_landlock(&e);
	CHECK(abi >= 0);
	if (!abi)
		return OTHER;
	CHECK_EQ(open("file", O_RDONLY), -1);
	CHECK_EQ(errno, EACCES);
	CHECK_EQ(mkdir("folder", 0700), -1);
	CHECK_EQ(errno, EACCES);
	CHECK_EQ(unlink("file"), -1);
	CHECK_EQ(errno, EACCES);
	CHECK_EQ(truncate("file", 0), -1);
	CHECK_EQ(errno, EACCES);
	return PASSED;
}

static void landlock(void)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid)
		_exit(try_landlock());
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	if (WEXITSTATUS(status) == OTHER)
		printf("this kernel has no landlock\n");
	else
		CHECK_EQ(WEXITSTATUS(status), PASSED);
}

int main(void)
{
	struct rlimit core = { 1 << 20, 1 << 20 };
	size_t i, n = sizeof(attempts) / sizeof(attempts[0]);

#ifdef INSTRUMENTED
	printf("SKIP: instrumented programs run without a sandbox\n");
	return 77;
#endif
	if (getenv("VALGRIND")) {
		printf("SKIP: valgrind makes system calls of its own\n");
		return 77;
	}
	parent = getpid();
	scratch_enter();
	close(open("file", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	setrlimit(RLIMIT_CORE, &core);
	CHECK_EQ(dup2(0, 700), 700);
	sandbox_note_inherited(&box);
	devnull = open("/dev/null", O_RDWR);
	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(devnull >= 0 && sock >= 0 && udp >= 0);
	for (i = 0; i < n; i++) {
		attempt(&attempts[i], true);
		attempt(&attempts[i], false);
	}
	landlock();
	return 0;
}
