#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each device and each virtio transport says what of it is saved (vmm/state.h), and
# of each member of a struct that is saved why it is not, if it is not.
. "$(dirname "$0")/../functions.sh"
requires perl
cd "$SRCDIR"
bad=0 n=0

# Initializers of the structs that have a member `state`: without one?
for f in $(grep -rlE 'struct (device_ops|virtio_ops|virtio_transport)' vmm \
	--include='*.c'); do
	while IFS=: read -r line what; do
		n=$((n + 1))
		sed -n "$line,/^\t*}[;)]*\$/p" "$f" | grep -q '\.state = &' ||
			{ echo "$f:$line: $what has no .state"; bad=1; }
	done < <(grep -nE '(struct|\(struct) (device_ops|virtio_ops|virtio_transport)[^*;]*= \{|= \(struct device_ops\)\{' "$f")
done
[ $n -gt 15 ] || { echo "only $n devices found"; bad=1; }

perl - $(find vmm -name '*.[ch]') <<'END' || bad=1
use strict;
my (%body, %saved, %not, $bad, $n);

sub complain { print "@_\n"; $bad = 1 }

for my $file (@ARGV) {
	open my $in, '<', $file or die "$file: $!";
	my $c = join '', <$in>;
	# A string may hold what looks like a comment.
	$c =~ s{("(?:\\.|[^"\\\n])*")|/\*.*?\*/}{$1 // ''}gse;
	$body{$1} = $2 while $c =~ /^struct (\w+) \{\n(.*?)^\}/gms;
	next if $file eq 'vmm/state.h';
	$saved{$2}{$3}++ while $c =~
		/STATE_(?!TRANSIENT)(\w+)\(struct (\w+),\s*([\w.]+)/g;
	while ($c =~ /STATE_TRANSIENT\(struct (\w+),\s*"[^"]+",([^)]*)\)/g) {
		my $type = $1;
		$not{$type}{$_}++ for $2 =~ /\w+/g;
	}
}

# Name and type of each member; those of unions and structs inside are none.
sub members {
	my ($struct) = @_;
	my %members;
	my $c = $body{$struct} // die "no struct $struct\n";
	1 while $c =~ s/\{[^{}]*\}//gs;
	for (split /;/, $c) {
		s/__attribute__\s*\(\(.*?\)\)//gs;
		s/\[[^\]]*\]//g;
		next unless /\S/;
		if (/\(\*(\w+)\)\s*\(/) { $members{$1} = 'function'; next }
		my ($type) = /struct (\w+) /;
		for (split /,/) {
			/(\w+)\s*$/ or die "struct $struct: what is \"$_\"?\n";
			$members{$1} = $type;
		}
	}
	return \%members;
}

# A member of a member is its struct's.
for my $struct (keys %saved) {
	for (grep /\./, keys %{$saved{$struct}}) {
		my ($outer, $inner) = split /\./;
		my $type = members($struct)->{$outer};
		$saved{$struct}{$outer} = 1;
		$saved{$type}{$inner} = 1;
		delete $saved{$struct}{$_};
	}
}
for my $struct (sort keys %saved) {
	my $members = members($struct);
	for (sort keys %$members) {
		my $times = ($saved{$struct}{$_} // 0) + ($not{$struct}{$_} // 0);
		$n++;
		complain("struct $struct: $_ is neither saved nor said to be " .
			 "transient") if !$times;
		complain("struct $struct: $_ is named twice") if $times > 1;
	}
	$members->{$_} or exists $members->{$_} or
		complain("struct $struct has no $_") for keys %{$not{$struct}};
}
$saved{$_} or complain("struct $_ has no table") for keys %not;
complain("only $n members found") if $n < 250;
exit($bad ? 1 : 0);
END
[ $bad = 0 ]
