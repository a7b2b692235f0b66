#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Random changes to ext2, ext3 and ext4 file systems of many kinds, the same ones
# to a plain folder: e2fsck finds nothing, and our reader and debugfs show the
# folder again.
# CHECK_ALL=1: more kinds, more steps.
. "$(dirname "$0")/../functions.sh"
PATH=$PATH:/sbin:/usr/sbin
requires mke2fs e2fsck debugfs
random=$BUILDDIR/tests/unit/ext_write
[ -x "$random" ] || skip "tests/unit/ext_write is not built"
[ "$(id -u)" = 0 ] || skip "only root can give files to others"

# A folder to begin with: a large one, links of both kinds, a hole.
mkdir -p start/etc/many start/lib
for ((i = 0; i < 400; i++)); do
	echo $i >"start/etc/many/file-with-a-long-name-$i"
done
ln -s file-with-a-long-name-1 start/etc/many/link
ln -s "$(printf 'x%.0s' {1..90})" start/etc/longlink
echo one >start/etc/a
ln start/etc/a start/lib/a
truncate -s 100k start/lib/hole
echo end >>start/lib/hole
head -c 3000 /dev/urandom >start/lib/small

# what FOLDER: all that is in it.  debugfs gives links to root.
what() {
	(cd "$1" && find . -mindepth 1 ! -path './lost+found*' \
		\( -type l -printf '%p %l\n' -o -printf '%p %y %m %U %G\n' \) |
		sort &&
		find . -type f ! -path './lost+found*' -print0 | sort -z |
		xargs -0 sha1sum)
}

# Root has a limit: the hard one of bytes, in the first account of users, which is
# in the sixth KiB of the file.
limit() {
	local block
	block=$(debugfs -R 'bmap <3> 1' image 2>/dev/null)
	printf '\0\0\0\100' | dd of=image bs=1 conv=notrunc status=none \
		seek=$((block * 4096 + 1024 + 16 + 8 + 3 * 8))
	debugfs -R 'get_quota user 0' image 2>/dev/null | grep -q ' 1073741824 ' ||
		die "no limit was set"
}

# one NAME MKE2FS-ARGUMENTS...
one() {
	[[ $1 =~ ${ONLY:-} ]] || return 0
	local name=$1 seed=$((seeds++))
	shift
	rm -rf image model out
	cp -a start model
	mke2fs -q -F -N 8192 "$@" -d start image "${SIZE:-48M}" >mke2fs.log 2>&1 ||
		die "$name: mke2fs: $(cat mke2fs.log)"
	# mke2fs makes no hash trees.
	e2fsck -fyD image >fsck.log 2>&1 || [ $? = 1 ] ||
		die "$name: mke2fs's: $(cat fsck.log)"
	[[ $name != quota* ]] || limit
	"$random" image model "$seed" "${STEPS:-400}" ||
		die "$name, seed $seed: random changes failed"
	e2fsck -fn image >fsck.log 2>&1 && ! grep QUOTA fsck.log ||
		die "$name, seed $seed: $(cat fsck.log)"
	[[ $name != quota* ]] ||
		debugfs -R 'get_quota user 0' image 2>/dev/null |
		grep -q ' 1073741824 ' || die "$name: a limit is lost"
	[ "$name" != ext4 ] || debugfs -R 'htree_dump /etc/many' image 2>&1 |
		grep -q 'Indirect levels' || die "no hash tree was tested"
	mkdir out
	debugfs -R 'rdump / out' image >debugfs.log 2>&1
	# Of data inside an inode debugfs shows all that there is room for.
	[[ $name != inline* ]] || (cd model && find . -type f -size -60c \
		-exec sh -c 'truncate -s "$(stat -c %s "$1")" "../out/$1"' \
		- {} \;)
	what model >want
	what out >got
	diff want got >diff.log || die "$name, seed $seed: $(head -n 30 diff.log)"
	echo "$name ok"
}

seeds=${SEED:-1}
[ -z "${CHECK_ALL:-}" ] || STEPS=3000
one ext2-1k -t ext2 -b 1024 -I 128
one ext3 -t ext3
one ext4 -t ext4
one ext4-1k -t ext4 -b 1024
one csum-seed -t ext4 -O metadata_csum_seed,orphan_file
one bigalloc -t ext4 -O bigalloc -C 16384
one inline-data -t ext4 -O inline_data
one quota -t ext4 -b 4096 -O quota
[ -n "${CHECK_ALL:-}" ] || exit 0
one ext2 -t ext2
one ext4-2k -t ext4 -b 2048 -I 512
SIZE=512M one ext4-64k -t ext4 -b 65536
one no-dir-index -t ext4 -O ^dir_index
one no-csum -t ext4 -O ^metadata_csum,uninit_bg
one 32bit -t ext4 -O ^64bit,^flex_bg
one meta-bg -t ext4 -O meta_bg,^resize_inode
one sparse-super2 -t ext4 -O sparse_super2 -g 4096
one bigalloc-1k -t ext4 -b 1024 -O bigalloc -C 16384
one inline-data-1k -t ext4 -b 1024 -I 1024 -O inline_data
one ea-inode -t ext4 -O ea_inode,large_dir
one project -t ext4 -O project -I 256
one quota-project -t ext4 -b 4096 -O quota,project,orphan_file -I 256 \
	-E quotatype=usrquota:grpquota:prjquota
SIZE=96M one quota-bigalloc -t ext4 -b 4096 -O quota,bigalloc -C 16384
one casefold -t ext4 -O casefold,stable_inodes,encrypt,verity
one mmp -t ext4 -O mmp
one fast-commit -t ext4 -O fast_commit
one tiny-groups -t ext4 -b 1024 -g 1024
