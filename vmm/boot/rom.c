/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rom.c - find and read firmware images. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"
#include "vmm/boot/rom.h"
#include "vmm/mem.h"

/* Debian and Fedora; Arch and openSUSE; built by hand; Proxmox. */
static const char *const folders[] = {
	"/usr/share/seabios", "/usr/share/qemu", "/usr/local/share/seabios",
	"/usr/local/share/qemu", "/usr/share/kvm",
};

int rom_find(const char *name, char **path, struct err *e)
{
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		*path = str_printf("%s/%s", folders[i], name);
		if (!*path)
			return fail(e, ENOMEM, "out of memory");
		if (!access(*path, R_OK))
			return 0;
		free(*path);
	}
	*path = NULL;
	return fail(e, ENOENT, "there is no %s in %s or other usual places: "
		    "install the package 'seabios'", name, folders[0]);
}

static int read_all(int fd, uint8_t *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, data + done, len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			return n ? -errno : -EIO;
	}
	return 0;
}

int rom_read(const char *path, size_t max, void **out, size_t *len,
	     struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
	uint8_t *data = NULL;
	struct stat st;

	if (fd < 0)
		return fail_rc(e, -errno, "firmware '%s'", path);
	if (fstat(fd, &st))
		rc = fail_rc(e, -errno, "firmware '%s'", path);
	else if (!S_ISREG(st.st_mode))
		rc = fail(e, EINVAL, "firmware '%s': is no regular file", path);
	else if (!st.st_size || (uint64_t)st.st_size > max)
		rc = fail(e, EINVAL, "firmware '%s': has %lld bytes, must have "
			  "1 to %zu", path, (long long)st.st_size, max);
	else if (!(data = malloc((size_t)st.st_size)))
		rc = fail(e, ENOMEM, "out of memory");
	else if ((rc = read_all(fd, data, (size_t)st.st_size)))
		fail_rc(e, rc, "firmware '%s'", path);
	close(fd);
	if (rc) {
		free(data);
		return rc;
	}
	*out = data;
	*len = (size_t)st.st_size;
	return 0;
}

int rom_read_bios(const char *path, void **data, size_t *len, struct err *e)
{
	int rc = rom_read(path, MEM_ROM_MAX, data, len, e);

	if (rc || *len % MEM_ROM_UNIT == 0)
		return rc;
	free(*data);
	return fail(e, EINVAL, "firmware '%s': has %zu bytes, must be a BIOS "
		    "image, a multiple of %u KiB", path, *len,
		    MEM_ROM_UNIT >> 10);
}
