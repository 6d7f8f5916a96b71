#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# reports.sh NAME ROOT: trace-cmd report and perf script, run from the Debian tree ROOT
: "${W:?}"; N=$1 ROOT=$2; mkdir -p "$ROOT/build/x"
cp "$W/results/$N/net/trace.dat" "$W/results/$N/perf/perf.data" "$ROOT/build/x/" &&
chroot "$ROOT" sh -c 'cd /build/x && trace-cmd report trace.dat > report.txt 2>/dev/null; perf script -i perf.data > perf.txt 2>/dev/null'
cp "$ROOT/build/x/report.txt" "$W/results/$N/net/report.txt"; cp "$ROOT/build/x/perf.txt" "$W/results/$N/perf/perf.txt"
wc -l "$W/results/$N/net/report.txt" "$W/results/$N/perf/perf.txt"
