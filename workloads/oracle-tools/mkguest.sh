#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# mkguest.sh NAME VMLINUZ MODULES_DIR VERSION [MODULE.ko]
# Builds $W/NAME/{vmlinuz,initrd}: busybox, the needed modules, wl, pgoracle.
set -e
W=${W:?set W to a scratch directory}; HERE=$(dirname "$(readlink -f "$0")")
NAME=$1 VM=$2 MD=$3 VER=$4 KO=$5
R=$W/$NAME/rootfs; rm -rf "$R"; mkdir -p "$R"/{bin,sbin,mod,dev,proc,sys,tmp,out,mnt,etc}
cp "$VM" "$W/$NAME/vmlinuz"
cp /bin/busybox "$R/bin/busybox"; cp "$W/wl" "$R/wl"; cp "$HERE/guest/init" "$R/init"; chmod +x "$R/init"
[ -n "$KO" ] && { cp "$KO" "$R/pgoracle.ko"; strip --strip-debug "$R/pgoracle.ko"; }
STAGE=$W/$NAME/stage; rm -rf "$STAGE"; mkdir -p "$STAGE/lib/modules"; ln -s "$MD" "$STAGE/lib/modules/$VER"
depmod -b "$STAGE" "$VER" 2>/dev/null || true
: > "$R/modules.list"
for m in virtio_pci virtio_blk virtio_net crc32c_generic crc32c-cryptoapi ext4 loop; do
  modprobe -d "$STAGE" -S "$VER" --show-depends $m 2>/dev/null | awk '$1=="insmod"{print $2}' | while read -r f; do
    b=$(basename "$f"); b=${b%.xz}; b=${b%.zst}; b=${b%.ko}
    grep -qx "$b" "$R/modules.list" && continue
    case "$f" in *.xz) xz -dc "$f" > "$R/mod/$b.ko";; *.zst) zstd -qdc "$f" > "$R/mod/$b.ko";; *) cp "$f" "$R/mod/$b.ko";; esac
    echo "$b" >> "$R/modules.list"
  done
done
if [ ! -f "$W/loop.img.gz" ]; then
  truncate -s 160M "$W/loop.img"; mke2fs -q -t ext4 -N 40000 -F "$W/loop.img"; gzip -9 -c "$W/loop.img" > "$W/loop.img.gz"; rm "$W/loop.img"
fi
cp "$W/loop.img.gz" "$R/"
(cd "$R" && find . | cpio -o -H newc --quiet | gzip -1) > "$W/$NAME/initrd"
echo "modules: $(tr '\n' ' ' < "$R/modules.list")"; ls -la "$W/$NAME/initrd"
