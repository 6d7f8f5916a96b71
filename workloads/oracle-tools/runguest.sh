#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# runguest.sh NAME RUN MEM "extra kernel args"   -> $W/results/NAME/RUN/
# One QEMU at a time, software emulation, bounded in time.
# env: SMP (1) MACHINE (pc) CPU TIMEOUT (900) TOOLS=1 attaches the tools disk,
#      NET=1 a virtio NIC with an echo peer, HASH=... replaces no_hash_pointers,
#      DEST=name of the result directory, EXTRA="more qemu arguments"
W=${W:?set W to a scratch directory}; NAME=$1 RUN=$2 MEM=$3 ARGS=$4
IMG=$W/out-$NAME-$RUN.img; LOG=$W/results/$NAME/$RUN.console.txt; mkdir -p "$W/results/$NAME"
rm -f "$IMG"; truncate -s 4G "$IMG"; mke2fs -q -t ext4 -O ^has_journal -F "$IMG"
D=(-drive file="$IMG",format=raw,if=virtio,cache=unsafe)
[ -n "$EXTRA" ] && D+=($EXTRA)
[ -n "$TOOLS" ] && D+=(-drive file="$W/tools.img",format=raw,if=virtio,readonly=on)
[ -n "$NET" ] && D+=(-netdev user,id=n0,restrict=on,guestfwd=tcp:10.0.2.100:7-cmd:/bin/cat -device virtio-net-pci,netdev=n0)
S=$(date +%s)
timeout "${TIMEOUT:-900}" qemu-system-x86_64 -accel tcg -machine "${MACHINE:-pc}" -cpu "${CPU:-max,la57=off}" -smp "${SMP:-1}" -m "$MEM" \
  -kernel "$W/$NAME/vmlinuz" -initrd "$W/$NAME/initrd" -append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr random.trust_cpu=on ${HASH:-no_hash_pointers} wl=$RUN $ARGS" \
  "${D[@]}" -nographic -no-reboot -nodefaults -serial mon:stdio < /dev/null > "$LOG" 2>&1
echo "qemu rc=$? wall=$(( $(date +%s) - S ))s"
OUT=$W/results/$NAME/${DEST:-$RUN}; rm -rf "$OUT"; mkdir -p "$OUT"
debugfs -R "rdump /$RUN $W/results/$NAME/.tmp" "$IMG" >/dev/null 2>&1
mkdir -p "$W/results/$NAME/.tmp"; debugfs -R "rdump /$RUN $W/results/$NAME/.tmp" "$IMG" 2>&1 | grep -v ^debugfs | head -3
mv "$W/results/$NAME/.tmp/$RUN"/* "$OUT"/ 2>/dev/null; rm -rf "$W/results/$NAME/.tmp" "$IMG"; mv "$LOG" "$OUT/console.txt"
tail -25 "$OUT/console.txt" | tr -d '\r'; ls -la "$OUT"
