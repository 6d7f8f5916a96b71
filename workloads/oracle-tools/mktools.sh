#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# mktools.sh ROOT: builds $W/tools.img (perf, trace-cmd, bpftrace and their
# libraries out of the Debian tree ROOT) to be attached read-only as /dev/vdb.
set -e
W=${W:?set W to a scratch directory}; ROOT=$1; R=$W/toolsroot
rm -rf "$R"; mkdir -p "$R"/{bin,usr/bin,proc,sys,dev,out,tmp,etc}
cp /bin/busybox "$R/bin/busybox"; ln -s busybox "$R/bin/sh"; ln -s busybox "$R/bin/sleep"
for b in /usr/bin/perf /usr/bin/trace-cmd /usr/bin/bpftrace; do
  [ -e "$ROOT$b" ] || continue
  cp "$ROOT$b" "$R$b"
  chroot "$ROOT" ldd $b | grep -oE '/[^ ]+\.so[^ ]*' | while read -r l; do mkdir -p "$R$(dirname "$l")"; cp -L "$ROOT$l" "$R$l"; done
done
truncate -s 700M "$W/tools.img"; mke2fs -q -t ext4 -O ^has_journal -d "$R" -F "$W/tools.img"; du -sh "$R"
