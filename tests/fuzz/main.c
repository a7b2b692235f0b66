/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - runs a fuzz target over files, where libFuzzer is not linked. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t len = 0, room = 0, n;

	if (!f) {
		perror(path);
		return 1;
	}
	do {
		if (len == room) {
			room = room ? room * 2 : 65536;
			data = realloc(data, room);
			if (!data) {
				perror("realloc");
				exit(1);
			}
		}
		n = fread(data + len, 1, room - len, f);
		len += n;
	} while (n);
	fclose(f);
	/* The exact size, so that a sanitizer sees a read beyond it. */
	data = realloc(data, len ? len : 1);
	if (!data) {
		perror("realloc");
		exit(1);
	}
	/* If the target crashes, the last name is the culprit. */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	int rc = 0;

	for (int i = 1; i < argc; i++)
		rc |= run_file(argv[i]);
	return rc;
}
