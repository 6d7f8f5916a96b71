#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# fetch.sh: from a fresh Debian 12 (bookworm) machine, as root, to guests
# ready to run. W=scratch directory (about 4 GB). Kernel versions move on in
# the archive; the ones used for the delivered files are the defaults.
set -e
: "${W:?set W to a scratch directory}"; export W
HERE=$(dirname "$(readlink -f "$0")"); mkdir -p "$W/debs" "$W/k"
K72=${K72:-7.2.12+deb13-amd64}     # trixie-backports
K618=${K618:-6.18.15+deb13-amd64}  # trixie-backports, image only (its headers are gone)
K73=${K73:-7.3-amd64}              # experimental (7.3~rc7)
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends qemu-system-x86 cpio busybox-static kmod bc \
  e2fsprogs xz-utils zstd debootstrap gcc libc6-dev make python3 libelf-dev linux-headers-amd64
K61=$(basename "$(ls -d /usr/src/linux-headers-6.1.*-amd64 | sort -V | tail -1)" | sed s/linux-headers-//)
URI=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources)
(cd "$W/debs" && apt-get download "linux-image-$K61")
for s in trixie-backports experimental; do "$HERE/aptx.sh" $s update; done
(cd "$W/debs" && "$HERE/aptx.sh" trixie-backports download linux-{image,base,binary,modules}-$K72 linux-image-$K618
 "$HERE/aptx.sh" experimental download linux-{image,base,binary,modules,headers}-$K73 linux-headers-${K73%-amd64}-common linux-kbuild-${K73%-amd64})
x() { mkdir -p "$W/k/$1"; for d in "${@:2}"; do dpkg-deb -x "$d" "$W/k/$1"; done; }
x 6.1 "$W"/debs/linux-image-"$K61"_*.deb; x 6.18 "$W"/debs/linux-image-"$K618"_*.deb
x 7.2 "$W"/debs/linux-{image,base,binary,modules}-"$K72"_*.deb
x 7.3 "$W"/debs/linux-{image,base,binary,modules}-"$K73"_*.deb
# a Debian 13 tree for gcc-14 (7.x headers) and for perf / trace-cmd / bpftrace
[ -d "$W/trixie/usr" ] || debootstrap --variant=minbase --include=gcc-14,make,kmod,libelf1t64,bc,xz-utils,cpio,ca-certificates trixie "$W/trixie" "$URI"
cp "$W/apt/trixie-backports/etc/sources.list" "$W/trixie/etc/apt/sources.list.d/bpo.list"
cp /etc/resolv.conf "$W/trixie/etc/"
for m in proc dev; do mountpoint -q "$W/trixie/$m" || mount --bind /$m "$W/trixie/$m"; done   # objtool reads /proc
trap 'umount "$W/trixie/proc" "$W/trixie/dev" 2>/dev/null || true' EXIT
chroot "$W/trixie" sh -c "apt-get update && apt-get install -y --no-install-recommends gcc-14-for-host linux-headers-$K72 linux-perf trace-cmd bpftrace"
for d in "$W"/debs/linux-{headers,kbuild}-7.3*.deb; do dpkg-deb -x "$d" "$W/trixie"; done   # gcc-14 will do
# the module, per kernel
rm -rf "$W/mod61"; cp -r "$HERE/module" "$W/mod61"; make -C "/usr/src/linux-headers-$K61" M="$W/mod61" modules
mkdir -p "$W/trixie/build"
for v in $K72:mod72 $K73:mod73; do
  rm -rf "$W/trixie/build/${v#*:}"; cp -r "$HERE/module" "$W/trixie/build/${v#*:}"
  chroot "$W/trixie" make -C "/usr/src/linux-headers-${v%%:*}" M="/build/${v#*:}" CC=gcc-14 HOSTCC=gcc-14 modules
done
gcc -O2 -static -Wall -o "$W/wl" "$HERE/guest/wl.c"
"$HERE/mktools.sh" "$W/trixie"
"$HERE/mkguest.sh" k61 "$W/k/6.1/boot/vmlinuz-$K61" "$W/k/6.1/lib/modules/$K61" "$K61" "$W/mod61/pgoracle.ko"
M=$W/k/7.2/usr/lib/modules/$K72; "$HERE/mkguest.sh" k72 "$M/vmlinuz" "$M" "$K72" "$W/trixie/build/mod72/pgoracle.ko"
M=$W/k/7.3/usr/lib/modules/$K73; "$HERE/mkguest.sh" k73 "$M/vmlinuz" "$M" "$K73" "$W/trixie/build/mod73/pgoracle.ko"
M=$W/k/6.18/usr/lib/modules/$K618; "$HERE/mkguest.sh" k618 "$W/k/6.18/boot/vmlinuz-$K618" "$M" "$K618"
echo ready
