#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run_all.sh NAME MOD(0|1) MEMARGS [MICROMEM]   all recordings for one kernel
#   W=scratch run_all.sh k61 1 "cache=120 anon=220" 144M
#   W=scratch run_all.sh k72 1 "cache=200 anon=256" 176M
# Needs $W/NAME/{vmlinuz,initrd} from mkguest.sh and $W/tools.img (mktools.sh).
: "${W:?}"; export W
cd "$(dirname "$(readlink -f "$0")")" || exit 1
N=$1 MOD=$2 MEMARGS=$3 MICRO=${4:-176M}
q() { grep -aE "qemu rc|endrun|WARN|BUG:|Oops|NO OUT|failed"; }
C=compaction/mm_compaction
AL=${C}_begin,${C}_end,${C}_isolate_freepages,${C}_isolate_migratepages,${C}_migratepages
export TIMEOUT=900
r() { echo "## $N $1"; ./runguest.sh "$N" "$@" | q; }
# a..e: workload traces, each in a fresh boot
HASH=loglevel=4 r boot 1G "trace_event=kmem:* trace_buf_size=80M trace_clock=mono"
r files 1G "tbuf=200 n=3000"
r fork 1G "tbuf=200 n=150"
SMP=2 DEST=fork-smp2 r fork 1G "tbuf=120 n=120"
TOOLS=1 NET=1 r net 1G "tbuf=200 n=250 tracedat=1"
r mem 512M "tbuf=96 also=$AL $MEMARGS"
TOOLS=1 r perf 1G "n=1500"
[ "$MOD" = 1 ] || exit 0
# f: NMI context (kernels with kmalloc_nolock)
case $N in k61) ;; *) r nmi 1G "tbuf=64 n=2000"; SMP=2 r nmi2 1G "tbuf=80 n=900 nmis=3000";; esac
# PFN-exact scripted runs
DEST=oracle-micro r oracle $MICRO "init_on_alloc=0 tbuf=16 bufmb=6 jobs=order0_movable:1:3000:1,mixed_orders:2:3000:1,high_order_steal:3:12000:1,near_exhaustion:4:16000:1,mixed_orders:5:3000:0"
DEST=oracle-1zone r oracle 512M "init_on_alloc=0 tbuf=96 bufmb=24 jobs=order0_movable:11:150000:1,mixed_orders:12:120000:1,high_order_steal:13:200000:0,near_exhaustion:14:200000:1,mixed_orders:15:60000:0"
DEST=oracle-3zone MACHINE=pc,max-ram-below-4g=512M r oracle 1G "init_on_alloc=0 tbuf=96 bufmb=32 jobs=zonelist:21:200000:1,mixed_orders:22:80000:0"
DEST=oracle-numa2 EXTRA="-object memory-backend-ram,id=m0,size=256M -object memory-backend-ram,id=m1,size=256M -numa node,nodeid=0,cpus=0,memdev=m0 -numa node,nodeid=1,memdev=m1" \
  r oracle 512M "init_on_alloc=0 tbuf=64 bufmb=24 jobs=mixed_orders:31:60000:1,near_exhaustion:32:100000:0"
