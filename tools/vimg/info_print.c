/* SPDX-License-Identifier: GPL-2.0-or-later */
/* info_print.c - one image's information as text or JSON.
 *
 * Keys come in the order of qemu-img 7.2, for what compares text.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tools/cli/json.h"
#include "tools/vimg/info.h"

static json_int_t number(json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *text(json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

/* Names are the image's: control characters would reach the terminal. */
static void print_text(const char *s)
{
	for (; *s; s++)
		putchar((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
}

static void print_snapshot(json_t *s)
{
	char size[SIZE_TEXT_LEN], date[64] = "", clock[64], icount[32] = "";
	json_int_t secs = number(s, "vm-clock-sec");
	time_t when = (time_t)number(s, "date-sec");
	char tag[256];
	struct tm tm;

	size_text((uint64_t)number(s, "vm-state-size"), size);
	if (localtime_r(&when, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(clock, sizeof(clock), "%02lld:%02d:%02d.%03d",
		 (long long)(secs / 3600), (int)(secs / 60 % 60),
		 (int)(secs % 60),
		 (int)(number(s, "vm-clock-nsec") / 1000000));
	if (json_object_get(s, "icount"))
		snprintf(icount, sizeof(icount), "%lld",
			 (long long)number(s, "icount"));
	snprintf(tag, sizeof(tag), "%s", text(s, "name"));
	for (char *p = tag; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	printf("%-9s %-16s %8s%20s%13s%11s\n", text(s, "id"), tag, size, date,
	       clock, icount);
}

static void print_snapshots(json_t *snapshots)
{
	json_t *s;
	size_t i;

	if (!json_array_size(snapshots))
		return;
	printf("Snapshot list:\n%-9s %-16s %8s%20s%13s%11s\n", "ID", "TAG",
	       "VM SIZE", "DATE", "VM CLOCK", "ICOUNT");
	json_array_foreach(snapshots, i, s)
		print_snapshot(s);
}

static void print_value(json_t *v, int indent);

static void print_head(const char *name, json_t *v, int indent)
{
	printf("%*s", indent, "");
	print_text(name);
	printf(":%s", json_is_object(v) || json_is_array(v) ? "\n" : " ");
	print_value(v, indent + 4);
	if (!json_is_object(v) && !json_is_array(v))
		printf("\n");
}

static void print_members(json_t *object, int indent)
{
	const char *key;
	char name[128];
	json_t *v;

	json_object_foreach(object, key, v) {
		snprintf(name, sizeof(name), "%s", key);
		for (char *p = name; (p = strchr(p, '-')); )
			*p = ' ';
		print_head(name, v, indent);
	}
}

static void print_value(json_t *v, int indent)
{
	json_t *item;
	char name[32];
	size_t i;

	switch (json_typeof(v)) {
	case JSON_OBJECT:
		print_members(v, indent);
		break;
	case JSON_ARRAY:
		json_array_foreach(v, i, item) {
			snprintf(name, sizeof(name), "[%zu]", i);
			print_head(name, item, indent);
		}
		break;
	case JSON_STRING:
		print_text(json_string_value(v));
		break;
	case JSON_INTEGER:
		printf("%lld", (long long)json_integer_value(v));
		break;
	case JSON_REAL:
		printf("%g", json_real_value(v));
		break;
	case JSON_TRUE:
		printf("true");
		break;
	case JSON_FALSE:
		printf("false");
		break;
	case JSON_NULL:
		break;
	}
}

static void print_backing(const struct info_image *i)
{
	if (!i->backing)
		return;
	printf("backing file: ");
	print_text(i->backing);
	if (strcmp(i->backing, i->full_backing)) {
		printf(" (actual path: ");
		print_text(i->full_backing);
		printf(")");
	}
	printf("\n");
	if (i->backing_format) {
		printf("backing file format: ");
		print_text(i->backing_format);
		printf("\n");
	}
}

void info_print(const struct info_image *i)
{
	char size[SIZE_TEXT_LEN], usage[SIZE_TEXT_LEN] = "unavailable";

	if (i->has_usage)
		size_text(i->usage, usage);
	printf("image: ");
	print_text(i->name);
	printf("\nfile format: %s\nvirtual size: %s (%llu bytes)\n"
	       "disk size: %s\n", i->format, size_text(i->size, size),
	       (unsigned long long)i->size, usage);
	if (i->info.encrypted)
		printf("encrypted: yes\n");
	if (i->info.cluster_size)
		printf("cluster_size: %u\n", i->info.cluster_size);
	if (i->info.dirty)
		printf("cleanly shut down: no\n");
	print_backing(i);
	print_snapshots(i->info.snapshots);
	if (json_object_size(i->info.specific)) {
		printf("Format specific information:\n");
		print_members(i->info.specific, 4);
	}
}

json_t *info_json(const struct info_image *i)
{
	json_t *o = json_object(), *specific;

	if (i->backing_format)
		json_put_string(o, "backing-filename-format",
				i->backing_format);
	if (json_array_size(i->info.snapshots))
		json_object_set(o, "snapshots", i->info.snapshots);
	json_put_size(o, "virtual-size", i->size);
	json_put_string(o, "filename", i->name);
	if (i->info.cluster_size)
		json_put_size(o, "cluster-size", i->info.cluster_size);
	json_put_string(o, "format", i->format);
	if (i->has_usage)
		json_put_size(o, "actual-size", i->usage);
	if (i->info.specific) {
		specific = json_object();
		json_put_string(specific, "type", i->format);
		json_object_set(specific, "data", i->info.specific);
		json_object_set_new(o, "format-specific", specific);
	}
	if (i->backing) {
		json_put_string(o, "full-backing-filename", i->full_backing);
		json_put_string(o, "backing-filename", i->backing);
	}
	if (i->info.encrypted)
		json_put_bool(o, "encrypted", true);
	json_put_bool(o, "dirty-flag", i->info.dirty);
	return o;
}
