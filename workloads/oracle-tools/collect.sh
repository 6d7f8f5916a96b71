#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# collect.sh NAME DEST: compress $W/results/NAME into DEST
: "${W:?}"; N=$1 D=$2; HERE=$(dirname "$(readlink -f "$0")")
for run in "$W/results/$N"/*/; do
  b=$(basename "$run"); o=$D/$b; rm -rf "$o"; mkdir -p "$o"
  (cd "$run" && find . -type f ! -name perf.data ! -name '*.img') | while read -r f; do
    mkdir -p "$o/$(dirname "$f")"
    case $f in
      *console.txt) grep -aE '^(===|---|\{)|WARN|BUG' "$run/$f" | tr -d '\r' | sed 's/.*=== guest/=== guest/' > "$o/$f";;
      */trace.txt|*.jsonl|*.events.txt|*.bin|*/report.txt|*/perf.txt) xz -T2 -6 -c "$run/$f" > "$o/$f.xz";;
      *) cp "$run/$f" "$o/$f"; chmod 644 "$o/$f";;
    esac
  done
done
for x in "$W/results/$N"/*/; do [ -e "$x/trace.txt" ] && python3 "$HERE/check_trace.py" "$x"; done 2>&1 | sed "s#$W/results/##" > "$D/STATS.txt"
for x in "$W/results/$N"/oracle-*/*.jsonl; do [ -e "$x" ] || continue; echo "# ${x#$W/results/}"; python3 "$HERE/check_oracle.py" "$x"; done > "$D/CHECK.txt" 2>&1
du -sm "$D"
