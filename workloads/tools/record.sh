#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Records what the page allocator of this machine does while a command runs: a directory for spbsim run and verify.
#
# Everything happens in a trace instance of its own (tracefs instances/), so tracing that others have set up goes on
# undisturbed: its buffer, clock, events and options are never touched. One setting has no copy per instance,
# options/record-cmd (command names); it is switched off while the instance is made and put back at once.
#
# Tracing is on from before the first report of the kernel until after the last one. Four lines of the trace
# (tracing_mark_write: spbsim: before | workload | after | end) say where the reports stand; buddyinfo and then
# pagetypeinfo are read right behind their mark, without a fork in between.
set -eu

usage() {
	cat <<'TEXT'
Usage: record.sh [options] OUT [--] COMMAND [ARG...]

Records the page events of the whole machine while COMMAND runs, into the new directory OUT:

  kernel           release and architecture
  trace.gz         the trace, as tracefs prints it
  stats            statistics of the ring buffers: were events lost?
  before/ after/   buddyinfo pagetypeinfo zoneinfo vmstat meminfo slabinfo kpageflags.gz

Options:
  -b KIB   ring buffer per CPU in KiB (default: 65536, less where memory is short)
  -s       slab events too (kmalloc, kfree, kmem_cache_alloc, kmem_cache_free): three to five times the events
  -h       this text

Needs root, tracefs and /proc/kpageflags. The exit status is that of COMMAND; 2 and 3 may also be ours (wrong usage;
this machine cannot be recorded), 130 and 143 say that it was interrupted.

Examples:
  record.sh build -- make -j8
  record.sh -b 262144 -s churn -- sh -c 'find /usr -type f -exec cat {} + >/dev/null'
  spbsim verify build
TEXT
}

fail() {
	status=$1
	shift
	printf 'record.sh: %s\n' "$*" >&2
	exit "$status"
}

PAGE_EVENTS="mm_page_alloc mm_page_free mm_page_free_batched mm_page_alloc_zone_locked mm_page_pcpu_drain
	mm_page_alloc_extfrag"
SLAB_EVENTS="kmalloc kfree kmem_cache_alloc kmem_cache_free"
DEFAULT_BUFFER_KIB=65536

events=$PAGE_EVENTS
buffer_kib=
while getopts b:sh option; do
	case $option in
	b) buffer_kib=$OPTARG ;;
	s) events="$PAGE_EVENTS $SLAB_EVENTS" ;;
	h)
		usage
		exit 0
		;;
	*) fail 2 'see record.sh -h' ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || fail 2 'no directory given; see record.sh -h'
out=$1
shift
[ "${1-}" != -- ] || shift
[ $# -ge 1 ] || fail 2 'no command given; see record.sh -h'
case $buffer_kib in *[!0-9]*) fail 2 "-b $buffer_kib: give a whole number of KiB" ;; esac

[ "$(id -u)" = 0 ] || fail 3 'recording needs root: page events and page flags are for root only'
tracefs=
for candidate in /sys/kernel/tracing /sys/kernel/debug/tracing; do
	[ ! -d $candidate/events/kmem ] || { tracefs=$candidate && break; }
done
[ -n "$tracefs" ] || fail 3 'tracefs is not there; try: mount -t tracefs nodev /sys/kernel/tracing'
[ -d $tracefs/instances ] || fail 3 'this kernel has no trace instances (CONFIG_TRACING)'
if [ -e "$out" ]; then
	[ -d "$out" ] && [ -z "$(ls -A "$out")" ] || fail 2 "$out exists and is not an empty directory"
fi
if [ -z "$buffer_kib" ]; then
	# All buffers together take at most a quarter of what is available.
	available=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
	buffer_kib=$((available / 4 / $(getconf _NPROCESSORS_ONLN)))
	[ $buffer_kib -le $DEFAULT_BUFFER_KIB ] || buffer_kib=$DEFAULT_BUFFER_KIB
fi

instance=$tracefs/instances/spbsim-$$
record_cmd=

# Undoes whatever has been done so far; runs at every exit.
restore() {
	[ ! -d "$instance" ] || {
		echo 0 >"$instance/tracing_on"
		echo >"$instance/set_event"
		rmdir "$instance"
	}
	[ -z "$record_cmd" ] || echo "$record_cmd" >$tracefs/options/record-cmd
}
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mark() {
	echo "spbsim: $1" >"$instance/trace_marker"
}

# Without a fork, which would allocate and free pages between the mark and the read.
copy() {
	while IFS= read -r line; do
		printf '%s\n' "$line"
	done <"$1" >"$2"
}

snapshot() {
	mark "$1"
	copy /proc/buddyinfo "$out/$1/buddyinfo"
	copy /proc/pagetypeinfo "$out/$1/pagetypeinfo"
	for file in zoneinfo vmstat meminfo slabinfo; do
		[ ! -r /proc/$file ] || cat /proc/$file >"$out/$1/$file"
	done
	[ ! -r /proc/kpageflags ] || dd if=/proc/kpageflags bs=1M 2>/dev/null | gzip -1 >"$out/$1/kpageflags.gz"
}

[ -r /proc/kpageflags ] ||
	echo 'record.sh: no /proc/kpageflags (CONFIG_PROC_PAGE_MONITOR): the start state will be a guess' >&2
mkdir -p "$out/before" "$out/after"
uname -srm >"$out/kernel"

record_cmd=$(cat $tracefs/options/record-cmd)
echo 0 >$tracefs/options/record-cmd
mkdir "$instance" || fail 3 "cannot make $instance"
echo "$record_cmd" >$tracefs/options/record-cmd
record_cmd=
echo 0 >"$instance/tracing_on"
echo mono >"$instance/trace_clock"
echo 1 >"$instance/options/irq-info"
echo "$buffer_kib" >"$instance/buffer_size_kb" || fail 3 "no memory for $buffer_kib KiB per CPU; give less with -b"
for event in $events; do
	echo 1 >"$instance/events/kmem/$event/enable" || fail 3 "this kernel has no event kmem:$event"
done

echo 1 >"$instance/tracing_on"
snapshot before
mark workload
command_status=0
"$@" || command_status=$?
snapshot after
mark end
echo 0 >"$instance/tracing_on"

for cpu in "$instance"/per_cpu/cpu*; do
	echo "== ${cpu##*/}"
	cat "$cpu/stats"
done >"$out/stats"
# Through a pipe, because the file has no size that gzip could check.
cat "$instance/trace" | gzip -1 >"$out/trace.gz"

entries=$(awk '/^entries:/ { n += $2 } END { print n + 0 }' "$out/stats")
lost=$(awk '/^(overrun|dropped events):/ { n += $NF } END { print n + 0 }' "$out/stats")
echo "record.sh: $entries events in $out, $lost lost; the command exited with $command_status" >&2
[ "$lost" = 0 ] || echo "record.sh: give a larger buffer: -b $((buffer_kib * 2))" >&2
exit $command_status
