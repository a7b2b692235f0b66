/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xml.c - XML that cannot reach out of its text. */
#include "xml.h"

#include <errno.h>
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"

/* Texts that are handed out: where each of many names is looked for among many
 * others, memory and time stay bounded.
 */
#define MAX_TEXTS (1u << 20)
#define MAX_BYTES (64u << 20)

/* Called at "<!DOCTYPE": before any entity is declared. */
static void stop_at_doctype(void *arg, const xmlChar *name, const xmlChar *id,
			    const xmlChar *system)
{
	xmlParserCtxt *ctxt = arg;

	(void)name;
	(void)id;
	(void)system;
	ctxt->_private = ctxt;
	xmlStopParser(ctxt);
}

static int say_why(xmlParserCtxt *ctxt, const char *path, struct err *e)
{
	const xmlError *why = xmlCtxtGetLastError(ctxt);
	char text[200];

	if (ctxt->_private)
		return fail(e, ENOTSUP, "%s has a DOCTYPE, which no description "
			    "of a machine needs; XML with one is not read",
			    path);
	if (!why || why->code == XML_ERR_NO_MEMORY)
		return fail(e, ENOMEM, "out of memory");
	snprintf(text, sizeof(text), "%s", why->message ? why->message : "");
	text[strcspn(text, "\n")] = 0;
	return fail(e, EUCLEAN, "%s: line %d is no XML: %s", path, why->line,
		    text);
}

int xml_parse(const char *text, size_t len, const char *path, struct xml *x,
	      struct err *e)
{
	xmlParserCtxt *ctxt = xmlNewParserCtxt();
	int rc;

	*x = (struct xml){ 0 };
	if (!ctxt)
		return fail(e, ENOMEM, "out of memory");
	ctxt->sax->internalSubset = stop_at_doctype;
	x->doc = xmlCtxtReadMemory(ctxt, text, (int)len, NULL, NULL,
				   XML_PARSE_NONET | XML_PARSE_NOERROR |
				   XML_PARSE_NOWARNING | XML_PARSE_NOCDATA |
				   XML_PARSE_COMPACT);
	x->root = x->doc ? xmlDocGetRootElement(x->doc) : NULL;
	rc = !x->root || ctxt->_private ? say_why(ctxt, path, e) : 0;
	xmlFreeParserCtxt(ctxt);
	if (rc)
		xml_free(x);
	return rc;
}

void xml_free(struct xml *x)
{
	for (size_t i = 0; i < x->n; i++)
		free(x->texts[i]);
	free(x->texts);
	xmlFreeDoc(x->doc);
	*x = (struct xml){ 0 };
}

/* A prefix that was never declared is still in the name. */
static const char *local(const xmlChar *name)
{
	const char *colon = strrchr((const char *)name, ':');

	return colon ? colon + 1 : (const char *)name;
}

const char *xml_name(const xmlNode *node)
{
	return local(node->name);
}

bool xml_is(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && !strcmp(local(node->name),
							 name);
}

static xmlNode *from(xmlNode *node, const char *name)
{
	for (; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE &&
		    (!name || xml_is(node, name)))
			return node;
	return NULL;
}

xmlNode *xml_child(const xmlNode *node, const char *name)
{
	return node ? from(node->children, name) : NULL;
}

xmlNode *xml_next(const xmlNode *node, const char *name)
{
	return node ? from(node->next, name) : NULL;
}

xmlNode *xml_find(xmlNode *node, const char *path)
{
	char part[64];

	while (node && *path) {
		size_t len = strcspn(path, "/");

		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		node = xml_child(node, part);
		path += len + (path[len] == '/');
	}
	return node;
}

int xml_fail(const struct xml *x, const char *path, struct err *e)
{
	if (x->failed == -EFBIG)
		return fail(e, EFBIG, "%s refers to its own parts more often "
			    "than a description of a machine does", path);
	return fail(e, ENOMEM, "out of memory");
}

/* Take over a text of libxml2's. */
static const char *keep(struct xml *x, xmlChar *text)
{
	size_t len = text ? strlen((const char *)text) : 0;
	bool room = x->n < MAX_TEXTS && len < MAX_BYTES - x->n_bytes;
	char *copy = text && room ? strdup((const char *)text) : NULL;

	xmlFree(text);
	if (!copy ||
	    array_grow(&x->texts, &x->cap, x->n + 1, sizeof(*x->texts))) {
		free(copy);
		x->failed = room ? -ENOMEM : -EFBIG;
		return "";
	}
	x->n_bytes += len;
	x->texts[x->n++] = copy;
	return copy;
}

static bool is_own(const xmlNs *ns)
{
	const char *uri = ns ? (const char *)ns->href : NULL;

	return !uri || strstr(uri, "/ovf/envelope/") ||
		strstr(uri, "/ovf/1/envelope");
}

const char *xml_attr(struct xml *x, const xmlNode *node, const char *name)
{
	const xmlAttr *found = NULL;

	for (const xmlAttr *a = node ? node->properties : NULL; a; a = a->next) {
		if (strcmp(local(a->name), name))
			continue;
		if (!found || (is_own(a->ns) && !is_own(found->ns)))
			found = a;
	}
	if (!found)
		return NULL;
	return keep(x, xmlNodeListGetString(x->doc, found->children, 1) ?:
		    xmlStrdup((const xmlChar *)""));
}

const char *xml_text(struct xml *x, const xmlNode *node)
{
	xmlChar *text = node ? xmlNodeGetContent(node) : NULL;
	size_t len, skip;

	if (!node)
		return NULL;
	if (text) {
		skip = strspn((char *)text, " \t\r\n");
		len = strlen((char *)text + skip);
		memmove(text, text + skip, len + 1);
		while (len && strchr(" \t\r\n", text[len - 1]))
			text[--len] = 0;
	}
	return keep(x, text);
}

const char *xml_child_text(struct xml *x, const xmlNode *node,
			   const char *name)
{
	return xml_text(x, xml_child(node, name));
}
