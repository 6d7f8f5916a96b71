/** The results of all experiments as the page docs/experiments.md. */
import { DISCUSSION } from './discussion.mjs';

const number = (n) => Math.round(n).toLocaleString('en-US');
const gib = (pages) => (pages / 2 ** 18).toFixed(1);

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows.map(line)].join('\n');
}

/** `a` if all are equal, else `min – max (median m)`. */
function spread(values, show = number) {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[0], sorted.at(-1)];
  if (low === high) return show(low);
  return `${show(low)} – ${show(high)} (${show(sorted[sorted.length >> 1])})`;
}

function byPolicy(runs) {
  const groups = new Map();
  for (const run of runs) groups.set(run.request.policy, [...(groups.get(run.request.policy) ?? []), run]);
  return [...groups];
}

/** 1 GiB pages that the demand at the end of the workload got: 50 asked for, what is held at the end. */
const gigantic = ({ result }) => result.all_zones.reduce((sum, zone) => sum + zone.held, 0);

function r1(runs) {
  const { gib: size, set, duration_ns } = runs[0].request;
  const rows = byPolicy(runs).map(([policy, group]) => [
    `\`${policy}\``,
    group.length,
    spread(group.map(({ result }) => result.zone.tainted)),
    spread(group.map(({ result }) => result.zone.floor)),
    spread(group.map(gigantic)),
    spread(
      group.map(({ result }) =>
        result.spb === null
          ? 0
          : result.spb.contig.gigantic_migrated_pages / Math.max(1, gigantic({ result })),
      ),
      (pages) => (pages === 0 ? '–' : number(pages)),
    ),
    spread(
      group.map(({ result }) => result.vmstat.pgsteal_direct / 2 ** 18),
      (n) => n.toFixed(0),
    ),
    spread(group.map(({ result }) => result.notes.model_failures ?? 0)),
  ]);
  return `## R1: tainted superpageblocks and 1 GiB pages on a full machine

\`syzkaller-mix\` on ${size} GiB, ${runs[0].request.cpus} CPUs, ${duration_ns / 1e9} s of machine time: memory all used, 5 % of it
non-movable, a third of that slab that grows and shrinks. At the end ${set['demand-1g']} pages of 1 GiB are asked for, one after another.
${runs[0].result.zone.total} superpageblocks in the Normal zone. "Tainted" is counted from the contents of pageblocks, alike for all policies: a
superpageblock in which some page in use cannot be moved, at the end of the run. Several seeds: minimum – maximum (median).

${table(['policy', 'seeds', 'tainted', 'floor', `1 GiB pages got, of ${set['demand-1g']}`, 'pages migrated for each', 'direct reclaim, GiB', 'failed requests'], rows)}

The floor is what any policy needs: non-movable bytes / 1 GiB, rounded up.`;
}

function r2(runs) {
  const start = runs[0].result.series[0].ts_ns;
  const times = runs[0].result.series.map(({ ts_ns }) => `${Math.round((ts_ns - start) / 1e9)} s`);
  const overTime = (group, of) =>
    table(
      ['policy', ...times],
      group.map(({ request, result }) => [`\`${request.policy}\``, ...result.series.map(of)]),
    );
  const parts = [...new Set(runs.map(({ request }) => request.used))].map((used) => {
    const group = runs.filter(({ request }) => request.used === used);
    const shrinks = group.map(({ request, result }) => [
      `\`${request.policy}\``,
      ...['queued', 'ran', 'objects'].map((name) =>
        result.spb === null ? '–' : number(result.spb.slab_shrink[name]),
      ),
      result.zone.tainted,
      result.zone.floor,
      result.zone.taint_efficiency ?? '–',
    ]);
    return `### ${used} of memory used

Tainted superpageblocks of the Normal zone:

${overTime(group, ({ spb_tainted }) => spb_tainted)}

Non-movable memory in it, GiB:

${overTime(group, ({ nonmovable_pages }) => gib(nonmovable_pages))}

${table(['policy', 'shrinks queued', 'ran', 'objects freed', 'tainted at the end', 'floor', 'floor / tainted'], shrinks)}`;
  });
  return `## R2: a slab ramp, with the shrinker started on demand or at the high water

\`slab-ramp\` on ${runs[0].request.gib} GiB: reclaimable slab grows from 1.7 to 11.7 GB in six minutes, after two minutes in which memory
fills with page cache and anonymous memory.

${parts.join('\n\n')}`;
}

function r3(runs) {
  const rows = runs.map(({ request, result }) => [
    number(request.rounds),
    number(result.spb.fallback.reclaim_rounds),
    number(result.spb.fallback.nofragment_dropped),
    number(result.vmstat.spbsim_slowpath_bounded ?? 0),
    number(result.vmstat.pgsteal_direct),
    result.zone.tainted,
    result.zone.floor,
    number(result.notes.model_failures ?? 0),
  ]);
  return `## R3: forbidding taint

Reading R-c with the shrinker off, and a growing number of rounds of reclaim that a request goes through before it may taint
(\`spb.taint_deadline_rounds\`), on ${runs[0].request.gib} GiB. Every run ends: a request whose reclaim finds nothing more drops NOFRAGMENT.

${table(['rounds allowed', 'rounds of reclaim', 'NOFRAGMENT dropped', 'cut short', 'pages reclaimed directly', 'tainted', 'floor', 'failed requests'], rows)}`;
}

function e1(runs) {
  const rows = runs.map(({ request, result }) => [
    number(request.superpageblocks),
    request.policy.replace('spb-v2-', ''),
    (result.visited / result.searches).toFixed(1),
    (result.probes / result.searches).toFixed(1),
    ((result.flips * 1000) / result.allocations).toFixed(1),
  ]);
  return `## E1: what a search costs

Order-0 requests of all types without per-CPU lists, on machines filled with huge pages in which one superpageblock in eight has
room. A probe is a free list head looked at (lists) or a word of a bitmap read (bitmap).

${table(['superpageblocks', 'selector', 'visited per search', 'probes per search', 'bitmap flips per 1,000 allocations'], rows)}`;
}

function recorded(runs) {
  const rows = runs.map(({ request, result }) => {
    const sum = (of) => result.zones.reduce((total, zone) => total + of(zone), 0);
    return [
      request.name,
      `\`${request.policy}\``,
      number(result.events),
      sum((zone) => zone.total),
      sum((zone) => zone.tainted),
      sum((zone) => zone.floor),
      sum((zone) => zone.empty),
      sum((zone) => zone.gigantic_after_migration),
      result.zones.map((zone) => (zone.unusable_order9 / 1000).toFixed(2)).join(' '),
    ];
  });
  return `## Real recordings, free-running

From the real start state of each recording, whose pages in use stay where they were: a superpageblock that was tainted at the start
stays so until its pages are freed. Pages of which kpageflags does not say that they can be moved count as non-movable.

${table(['recording', 'policy', 'events', 'ranges', 'tainted', 'floor', 'empty', '1 GiB after migration', 'unusable order 9 by zone'], rows)}`;
}

/** @param results by experiment, arrays of `{request, result}` in the order of the requests */
export function renderExperiments(results) {
  const parts = [
    `# Experiments

What superpageblocks do to fragmentation, measured with this program. Allocation from any context has
[a page of its own](experiments-nolock.md). The page is written by one command,
\`npm run build && node docs/tools/experiments.mjs RECORDING...\`; every figure depends on the arguments given here alone. The workloads
are described in [workloads.md](workloads.md), the model and its open questions in [model/spb.md](model/spb.md).`,
    r1(results.r1),
    DISCUSSION.r1,
    r2(results.r2),
    DISCUSSION.r2,
    r3(results.r3),
    DISCUSSION.r3,
    e1(results.e1),
    DISCUSSION.e1,
    recorded(results.recordings),
    DISCUSSION.recordings,
  ];
  return `${parts.join('\n\n')}\n`;
}
