/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream_write.h - writing a streamOptimized extent, from its start to its end.
 *
 * Grains come in the order of the guest and go to the end of the file; closing
 * writes directory, footer and end mark.  An empty stream can be begun anew as
 * long as nothing has been written to it.  Calls are serialised here.
 */
#ifndef VMDK_STREAM_WRITE_H
#define VMDK_STREAM_WRITE_H

#include "create.h"

/* Header, descriptor and, unless `below` can only be appended to, the rest of
 * an empty stream.
 */
int vmdk_stream_create(struct img *below, const struct vmdk_layout *l,
		       const struct vmdk_descriptor *d, struct err *e);

/* Begin to write the image, if it is an empty stream; s->out stays NULL if it
 * is something else.
 */
int vmdk_stream_begin(struct vmdk *s, struct err *e);
/* Write what is missing at the end, unless the image was given up. */
int vmdk_stream_end(struct vmdk *s);

int vmdk_stream_write(struct vmdk *s, const void *buf, size_t len,
		      uint64_t offset);
int vmdk_stream_zero(struct vmdk *s, uint64_t len, uint64_t offset);
int vmdk_stream_flush(struct vmdk *s);
/* What has gone out cannot be read before it is complete. */
int vmdk_stream_read(struct vmdk *s, void *buf, size_t len, uint64_t offset);

/* compress.c: the driver's calls. */
int vmdk_codec_new(struct img *img, int level, void **codec, struct err *e);
void vmdk_codec_free(void *codec);
int vmdk_compress(void *codec, const void *src, size_t len, void *dst,
		  size_t *dst_len);
int vmdk_write_compressed(struct img *img, const void *data, size_t data_len,
			  uint64_t offset);
uint32_t vmdk_compress_bound(uint32_t grain);
/* Of s->out; locks it. */
int vmdk_stream_put(struct vmdk *s, const void *data, size_t data_len,
		    uint64_t offset);

#endif
