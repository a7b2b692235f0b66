#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# drop-in-qcow2.sh - drop-in.sh on qcow2 images.
FORMAT=qcow2
. "$(dirname "$0")/drop-in.sh"
