/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml.h - descriptions in XML, through libxml2 with everything off that reaches
 * out of the text: no network, no DTD, no entities.  A DOCTYPE is refused.
 * Internal to convert/machine.
 *
 * Elements and attributes are found by their names without a prefix, for vendors
 * get name spaces wrong; of two attributes that differ in their prefix, one with
 * OVF's own or none counts.
 */
#ifndef CONVERT_MACHINE_XML_H
#define CONVERT_MACHINE_XML_H

#include <libxml/tree.h>

#include "imgfmt/base/base.h"

struct xml {
	xmlDoc *doc;
	xmlNode *root;
	char **texts;		/* handed out, freed with the rest */
	size_t n, cap, n_bytes;
	int failed;		/* -ENOMEM or -EFBIG: texts are missing, and
				 * what was made of them is wrong */
};

/* `path` is for messages. */
int xml_parse(const char *text, size_t len, const char *path, struct xml *x,
	      struct err *e);
void xml_free(struct xml *x);
/* x->failed as a sentence. */
int xml_fail(const struct xml *x, const char *path, struct err *e);

/* The name without its prefix. */
const char *xml_name(const xmlNode *node);
bool xml_is(const xmlNode *node, const char *name);
/* The first child element of that name, and the next one behind `node`; NULL as
 * name: of any.  NULL is allowed as node and gives NULL.
 */
xmlNode *xml_child(const xmlNode *node, const char *name);
xmlNode *xml_next(const xmlNode *node, const char *name);
/* The element at "os/loader", from `node`. */
xmlNode *xml_find(xmlNode *node, const char *path);

/* Texts live as long as the struct xml.  NULL: there is no such attribute. */
const char *xml_attr(struct xml *x, const xmlNode *node, const char *name);
/* All text inside, trimmed at its ends; NULL: no node. */
const char *xml_text(struct xml *x, const xmlNode *node);
/* xml_text(xml_child(...)) */
const char *xml_child_text(struct xml *x, const xmlNode *node,
			   const char *name);

#endif
