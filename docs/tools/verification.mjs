/**
 * Writes docs/verification.md: what `spbsim verify` says of every run and recording at hand.
 *
 *     npm run build && node docs/tools/verification.mjs [DIRECTORY...]
 *
 * Each directory is searched for scripted runs of pages (oracle-<name>/<run>.jsonl.xz) and of slabs (slab-<name>/<run>.jsonl.xz, with
 * <run>.pages.jsonl.xz beside it where the page allocator was dumped, too), and for recordings (directories with a trace). Without arguments
 * the bundled ones are taken.
 */
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { verifyInput } from '../../dist/sim/verify/verify-input.js';
import { SLAB_DEVIATIONS } from './slab-deviations.mjs';

const OUTPUT = new URL('../verification.md', import.meta.url);
const SLAB_RUNS = /slab-(?:[124]cpu|numa2|mem|debug|nest|nlnat|nolock(?:-debug)?|memcg)$/;
const SLAB_FILES = /^(?!.*\.pages\.).*\.jsonl\.xz$/;
const roots = process.argv.length > 2 ? process.argv.slice(2) : ['test/oracle/data', 'workloads'];

const runs = [];
const slabRuns = [];
const recordings = [];
for (const root of roots) search(root, root);

function search(directory, root) {
  const names = readdirSync(directory).sort();
  if (names.some((name) => /^trace(\.txt)?(\.gz|\.xz)?$/.test(name)) && names.includes('before')) {
    recordings.push({ path: directory, name: relative(root, directory) || basename(directory) });
    return;
  }
  for (const name of names) {
    const path = join(directory, name);
    if (statSync(path).isDirectory()) search(path, root);
    else if (/oracle-[^/]*$/.test(directory) && name.endsWith('.jsonl.xz'))
      runs.push({ path, name: relative(root, path) });
    else if (SLAB_RUNS.test(directory) && SLAB_FILES.test(name))
      slabRuns.push({ path, name: relative(root, path) });
  }
}

const number = (n) => n.toLocaleString('en-US');
const percent = (part, whole) =>
  whole === 0 ? '–' : `${((100 * part) / whole).toFixed(part === whole ? 0 : 2)} %`;

async function verify({ path, name }) {
  process.stderr.write(`${name}\n`);
  try {
    return {
      name,
      result: await verifyInput({ input: path, policy: undefined, overrides: [], check: false }),
    };
  } catch (error) {
    return { name, error: String(error.message).replace(path, name) };
  }
}

async function runTable() {
  const rows = [];
  for (const run of runs) {
    const { name, result, error } = await verify(run);
    if (error !== undefined) {
      rows.push(`| ${name} | ${error} | | | | |`);
      continue;
    }
    const lists = result.checkpoints.filter((checkpoint) => checkpoint.name !== 'tracepoints');
    const events = result.checkpoints.find((checkpoint) => checkpoint.name === 'tracepoints');
    const equal = lists.filter((checkpoint) => checkpoint.equal === checkpoint.compared).length;
    rows.push(
      `| ${name} | ${result.policy.name} | ${number(result.matched)} of ${number(result.compared)} | ` +
        `${number(result.failures.matched)} of ${number(result.failures.kernel)} | ${equal} of ${lists.length} | ` +
        `${events === undefined ? 'not recorded' : `${number(events.equal)} of ${number(events.compared)}`} |`,
    );
  }
  return rows;
}

async function slabTable() {
  const rows = [];
  for (const run of slabRuns) {
    const { name, result, error } = await verify(run);
    if (error !== undefined) {
      rows.push(`| ${name} | ${error} | | | | |`);
      continue;
    }
    const equal = result.checkpoints.filter((checkpoint) => checkpoint.equal === checkpoint.compared).length;
    const pages = result.slab?.pages ?? null;
    rows.push(
      `| ${name} | ${result.policy.name} | ${number(result.matched)} of ${number(result.compared)} | ` +
        `${number(result.failures.matched)} of ${number(result.failures.kernel)} | ${equal} of ${result.checkpoints.length} | ` +
        `${pages === null ? 'not dumped' : `${number(pages.slabs.equal)} of ${number(pages.slabs.compared)}`} |`,
    );
  }
  return rows;
}

function burstCells(bursts) {
  const size = percent(bursts.size_predicted, bursts.known);
  const pfn = percent(bursts.pfn_predicted, bursts.known);
  return `${number(bursts.known)} of ${number(bursts.observed)} | ${size} | ${pfn} | ${percent(bursts.observed_size_predicted, bursts.observed)}`;
}

async function recordingTables() {
  const pinned = [];
  const bursts = [];
  const free = [];
  const deviations = [];
  const slabs = [];
  for (const recording of recordings) {
    const { name, result, error } = await verify(recording);
    if (error !== undefined) {
      pinned.push(`| ${name} | ${error} | | | | | |`);
      continue;
    }
    const { legality, after_free_pages: after, after_buddyinfo, refill, drain } = result.recording;
    const wrong = after_buddyinfo.filter((order) => order.predicted !== order.real);
    const types = result.recording.after_pagetypeinfo;
    const lists = result.checkpoints.map((c) => `${number(c.equal)} of ${number(c.compared)}`).join(', ');
    pinned.push(
      `| ${name} | ${result.policy.name} | ${number(legality.legal)} of ${number(legality.events)} (${percent(legality.legal, legality.events)}) | ` +
        `${after === null ? '–' : `${number(after.predicted)} / ${number(after.real)} (${((100 * (after.predicted - after.real)) / after.real).toFixed(3)} %)`} | ` +
        `${after_buddyinfo.length - wrong.length} of ${after_buddyinfo.length} | ${types.filter((t) => t.predicted === t.real).length} of ${types.length} | ${lists || '–'} |`,
    );
    bursts.push(
      `| ${name} | ${burstCells(refill)} | ${percent(refill.pfn_predicted - refill.unordered, refill.known)} | ${number(refill.unordered)} | ${burstCells(drain)} | ${number(drain.expected_not_seen)} |`,
    );
    const total = result.recording.freerun_free_pages;
    const freeOrders = result.recording.freerun_buddyinfo;
    free.push(
      `| ${name} | ${total === null ? '–' : `${number(total.predicted)} / ${number(total.real)} (${((100 * (total.predicted - total.real)) / total.real).toFixed(2)} %)`} | ` +
        `${freeOrders.filter((o) => o.predicted === o.real).length} of ${freeOrders.length} | ${perOrder(freeOrders)} |`,
    );
    if (wrong.length > 0) deviations.push(...deviationRows(name, wrong));
    if (result.recording.slabs) slabs.push({ name, slabs: result.recording.slabs });
  }
  return { pinned, bursts, free, deviations, slabs };
}

/** Chunks too many (+) or too few (-), summed over the zones, orders 0 to 10. */
function perOrder(orders) {
  const sums = new Array(11).fill(0);
  for (const { order, predicted, real } of orders) sums[order] += predicted - real;
  return sums.map((n) => (n > 0 ? `+${n}` : `${n}`)).join(' ');
}

function deviationRows(name, orders) {
  const byZone = new Map();
  for (const order of orders) {
    const zone = `node ${order.node} ${order.zone}`;
    byZone.set(zone, [...(byZone.get(zone) ?? []), order]);
  }
  return [...byZone].map(([zone, list]) => {
    const chunks = list
      .map((o) => `o${o.order} ${o.predicted - o.real > 0 ? '+' : ''}${o.predicted - o.real}`)
      .join(', ');
    const causes = list[0].causes.map((cause) => `${cause.name}: ${number(cause.pages)}`).join('; ');
    return `| ${name} | ${zone} | ${chunks} | ${causes || '–'} |`;
  });
}

const signed = (n) => `${n > 0 ? '+' : ''}${number(n)}`;
const MOMENTS = { slabinfo: 'slabinfo read', mark: 'mark', end: 'end of trace' };
const WORST_CACHES = 10;

function slabRow({ name, slabs: { caches, pages, moment } }) {
  const sum = (value) => caches.reduce((total, cache) => total + value(cache), 0);
  const near = (most) => caches.filter((cache) => Math.abs(cache.error_slabs) <= most).length;
  const made = pages.orders.map(
    ({ order, predicted, recorded }) => `o${order} ${number(predicted)} / ${number(recorded)}`,
  );
  const common = pages.orders.reduce((total, row) => total + row.in_common, 0);
  const most = pages.orders.reduce((total, row) => total + Math.max(row.predicted, row.recorded), 0);
  return (
    `| ${name} | ${MOMENTS[moment]} | ${near(0)} of ${caches.length} | ${near(1)} | ` +
    `${signed(sum((c) => c.slabs.predicted - c.slabs.before))} / ${signed(sum((c) => c.slabs.real - c.slabs.before))} | ` +
    `${number(sum((c) => Math.abs(c.error_slabs) * 2 ** c.order))} | ${made.join(', ')} | ${percent(common, most)} |`
  );
}

/** The caches with the largest error, for recordings whose deviations were looked into. */
function slabDeviationRows({ name, slabs }) {
  const reasons = SLAB_DEVIATIONS[name];
  if (reasons === undefined) return [];
  return slabs.caches
    .filter((cache) => cache.error_slabs !== 0)
    .slice(0, WORST_CACHES)
    .map((cache) => {
      const { before, predicted, real } = cache.slabs;
      const { allocated, freed, implied_frees, start_frees } = cache.causes;
      return (
        `| ${name} | ${cache.name} | ${number(before)} | ${signed(predicted - before)} / ${signed(real - before)} | ` +
        `${signed(cache.active_objects.predicted - cache.active_objects.real)} | ${number(cache.made.predicted)} / ${number(cache.made.recorded)} | ` +
        `${number(allocated)} / ${number(freed)} | ${number(implied_frees)} | ${number(start_frees)} | ${reasons[cache.name] ?? 'not looked into'} |`
      );
    });
}

const runRows = await runTable();
const slabRows = await slabTable();
const tables = await recordingTables();
const text = `# Verification

Made by \`node docs/tools/verification.mjs\`; run it on your own recordings. Every figure is one that \`spbsim verify\` prints.

## Scripted runs of real kernels

Same start lists, same operations: every PFN, every failure, every checkpoint's lists in order, counters and tuning state, and
every event of the kernel's own tracepoints (mm_page_alloc_zone_locked, mm_page_alloc_extfrag, mm_page_pcpu_drain) must be equal.

| run | policy | PFNs equal | failures equal | checkpoints wholly equal | tracepoint events equal |
|---|---|---|---|---|---|
${runRows.join('\n')}

## Scripted runs of slab caches

Same start, same operations: of every operation the slab and slot handed out, the counters that move, the slabs made and gone, and
the order of the lists after a shrink; at every checkpoint all lists in order, free slots, frozen slabs and counters, and the geometry of every cache. When the page
allocator gave a slab comes from the record; where its lists were dumped, the model's own pages must be equal, too. \`nltab\` and \`nlfree\` are tables of single
calls of kmalloc_nolock and kfree_nolock, by context, locks held and state of the cache; \`nlrun\` mixes them with kmalloc and kfree on caches that
others use, too, and \`memcg\` does so in a memory cgroup: there the charges, both stocks, left-over bytes, refusals and vectors are
compared after every operation. \`nest\` are calls of kmalloc_nolock in the middle of
others, at probed functions; \`nlnat\` NMIs that struck anywhere, each of which must have got an answer that the model allows.

| run | policy | operations equal | failures equal | checkpoints wholly equal | slabs with equal PFN and order |
|---|---|---|---|---|---|
${slabRows.join('\n')}

## Recordings, pinned replay

The recorded kernel decides every PFN; a PFN is legal if the model holds the page to be free. \`after\` is what the kernel
reported at the end. Where exact lists were dumped at the end, the last column compares them value by value.

| recording | policy | legal PFNs | free pages after, predicted / real | buddyinfo orders equal | block-type counts equal | dumped state equal |
|---|---|---|---|---|---|---|
${tables.pinned.join('\n')}

### Refills and drains of per-CPU lists

A list is *known* from its first refill on, because the kernel refills only an empty list. *Size* and *PFN* are shares of the
bursts on known lists; *size, all* counts the others, too. *Unordered* are refills that took a chunk whose place in its list
no snapshot tells: right list, right order, place unknown. *PFN* counts them as predicted, *PFN by place* does not. *Not seen* are drains that the model expected where the trace has none.

| recording | refills known | size | PFN | size, all | PFN by place | unordered | drains known | size | PFN | size, all | not seen |
|---|---|---|---|---|---|---|---|---|---|---|---|
${tables.bursts.join('\n')}

### Deviations of the predicted buddyinfo, with their causes

${tables.deviations.length === 0 ? 'None.' : `| recording | zone | chunks, model minus kernel | pages whose way the trace does not show |\n|---|---|---|---|\n${tables.deviations.join('\n')}`}

A single page that is free in one of the two and not in the other changes the chunk that it is part of and every chunk that it
keeps from merging, so a few pages explain a few chunks of several orders.

## Recordings, free-running replay

The policy decides every PFN from the recorded start state. Differences are expected where the kernel's per-CPU lists held pages
that no event shows; the last column is chunks of the model minus the kernel's, orders 0 to 10, summed over zones.

| recording | free pages after, predicted / real | orders equal | chunks per order |
|---|---|---|---|
${tables.free.join('\n')}

## Recordings, slab caches

The same free-running replay, cache by cache against \`after/slabinfo\`. It starts with the slabs that \`before/slabinfo\` counted, at the moment at which
that was read, and is compared while \`after/slabinfo\` was read: the recorder's opening and closing of the file are in the trace. The reading takes
milliseconds, in which RCU callbacks free hundreds of objects, so a cache is equal if what was counted lies between the least and the most
slabs that the model had meanwhile. Where the readings are not in the trace (the guests' recordings), its start and end stand for them, and what happened
between reading and trace is in the error.

*Made* are new slabs by order, the model's and the page allocations of slabs that the kernel's trace shows. *In time* is what both have in common of
each order in each window of 100 ms, of the larger of both. The trace of 6.1 does not name caches: its objects lie in caches by their size, and what slabinfo
says of the named ones cannot be predicted. Slabs of one page are not compound there, so their pages are not recognised: they
count neither as recorded nor as the slab allocator's, but as anybody's. The 818 of order 3 in 6.1.192/net are requests that look like
slabs' (presumably fragments of network packets in atomic context). What sheaves and barns of 7.2 held at the start is
assumed.

| recording | compared at | caches equal | within one slab | slabs, predicted / real change | pages of error | made, predicted / recorded | in time |
|---|---|---|---|---|---|---|---|
${tables.slabs.map(slabRow).join('\n')}

### Caches with the largest error, and why

*Active* is the error in active objects as slabinfo counts them. *Silent* are objects that the trace allocates again without having shown a free,
*start* are frees of objects from before the trace, which the model has to choose.

| recording | cache | slabs before | change, predicted / real | active | made, predicted / recorded | allocated / freed | silent | start | why |
|---|---|---|---|---|---|---|---|---|---|
${tables.slabs.flatMap(slabDeviationRows).join('\n')}

What is the model's own: objects of the start are freed evenly over all slabs (model: slab-caches 5.4). In the guests, which had just booted, the kernel freed
neighbours, and whole slabs of \`inode_cache\` and \`dentry\` with them: a choice that empties one slab after the other more than halves the error of
6.18.15/mem, 7.2.12/files and 7.2.12/mem. On the machine that was up for long it nearly doubles that of net-loopback.
That chains begin half full (5.3) was chosen in the light of slab-churn and net-loopback, so these two say nothing for it.
`;
writeFileSync(OUTPUT, text);
