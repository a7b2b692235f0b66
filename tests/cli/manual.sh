#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual knows every command and every option that the program has.
. "$(dirname "$0")/../functions.sh"
[ -x "$VIMG" ] || skip "vimg is not built"
. "$SRCDIR/tools/vimg/vimg.bash"

sed 's/\\f[BRI]//g; s/\\-/-/g' "$SRCDIR/tools/vimg/vimg.1" >manual
bad=0
for command in $(_vimg_commands "$VIMG"); do
	grep -q "^$command " manual || { echo "no $command"; bad=1; }
	for option in $(_vimg_options "$VIMG" "$command" | sort -u); do
		grep -qE -- "(^|[^a-z-])$option([^a-z-]|\$)" manual ||
			{ echo "no $option of $command"; bad=1; }
	done
done
[ $bad = 0 ]
