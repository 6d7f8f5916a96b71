/** Decisions of the slow path, for every kind of request and both loops. model: page-allocator 4.9, 10a.4; gfp A8 */
import { describe, expect, test } from 'vitest';
import * as gfp from '../../../src/mm/gfp.js';
import { ZONE_BELOW_HIGH } from '../../../src/mm/page-alloc/zone.js';
import { NO_PFN } from '../../../src/mm/types.js';
import { POLICY_NAMES, type PolicyName } from '../policies.js';
import { B, Machine, type MachineOptions } from '../reclaim/support.js';

const KERNEL = gfp.GFP_KERNEL;
const NORETRY = gfp.GFP_NORETRY_BIT;
const THISNODE = gfp.GFP_THISNODE_BIT;
const RETRY_MAYFAIL = gfp.GFP_RETRY_MAYFAIL_BIT;
const NOFAIL = gfp.GFP_NOFAIL_BIT;
/** GFP_TRANSHUGE: direct reclaim without a kswapd wake */
const THP =
  (gfp.GFP_HIGHUSER_MOVABLE | gfp.GFP_COMP_BIT | gfp.GFP_NOMEMALLOC_BIT | gfp.GFP_NOWARN_BIT) &
  ~gfp.GFP_KSWAPD_RECLAIM_BIT;

const PAGE_CACHE = 'LLLLLLLL|LLLLLLLL|LLLLLLLL|LLLLLLLL';
const STUCK = 'UUUUUUUU|UUUUUUUU|UUUUUUUU|UUUUUUUU';
const FRAGMENTED = Array.from({ length: 8 }, () => 'L.L.L.L.').join('|');

/** What a request did: got a page or not, then how often it reclaimed, compacted and had somebody killed. */
function outcome(
  policy: PolicyName,
  picture: string,
  flags: number,
  order: number,
  options?: MachineOptions,
) {
  const machine = new Machine(policy, picture, options);
  const pfn = machine.alloc(flags, order);
  const { events } = machine.mm;
  const stalls = events.allocstall_normal + events.allocstall_movable;
  const bounded = events.spbsim_slowpath_bounded > 0 ? ' bounded' : '';
  return `${pfn === NO_PFN ? 'fails' : 'page'} reclaim ${stalls} compact ${events.compact_stall} kill ${events.oom_kill}${bounded}`;
}

type Row = readonly [
  name: string,
  picture: string,
  flags: number,
  order: number,
  expected: string | [string, string, string],
];

// biome-ignore format: a table
const TABLE: readonly Row[] = [
  // No DIRECT_RECLAIM: attempts only.
  ['GFP_ATOMIC', PAGE_CACHE, gfp.GFP_ATOMIC, 0, 'fails reclaim 0 compact 0 kill 0'],
  ['NOFAIL without DIRECT_RECLAIM may fail', PAGE_CACHE, NOFAIL | gfp.GFP_KSWAPD_RECLAIM_BIT, 0, 'fails reclaim 0 compact 0 kill 0'],
  // Order <= 3: reclaims until it works, kills when there is nothing to reclaim.
  ['GFP_KERNEL reclaims', PAGE_CACHE, KERNEL, 0, 'page reclaim 1 compact 0 kill 0'],
  ['GFP_KERNEL of order 2 reclaims', PAGE_CACHE, KERNEL, 2, 'page reclaim 1 compact 0 kill 0'],
  ['GFP_KERNEL kills', STUCK, KERNEL, 0, 'fails reclaim 1 compact 0 kill 1'],
  ['order 3 kills', STUCK, KERNEL, 3, 'fails reclaim 1 compact 0 kill 1'],
  ['without FS nobody is killed, and it goes round', STUCK, KERNEL & ~gfp.GFP_FS_BIT, 0, 'fails reclaim 64 compact 0 kill 0 bounded'],
  // Costly: compaction, reclaim, compaction, end; nobody is killed.
  ['costly, hopeless', STUCK, KERNEL, 9, 'fails reclaim 1 compact 0 kill 0'],
  ['costly unmovable, fragmented', FRAGMENTED, KERNEL, 9, ['page reclaim 1 compact 2 kill 0', 'page reclaim 1 compact 2 kill 0', 'page reclaim 0 compact 1 kill 0']],
  ['THP, fragmented', FRAGMENTED, THP, 9, 'page reclaim 0 compact 1 kill 0'],
  // NORETRY: one round. Until 7.0 a costly one does not even reclaim when compaction cannot start.
  ['NORETRY', STUCK, KERNEL | NORETRY, 0, 'fails reclaim 1 compact 0 kill 0'],
  ['costly NORETRY', STUCK, KERNEL | NORETRY, 9, ['fails reclaim 0 compact 0 kill 0', 'fails reclaim 0 compact 0 kill 0', 'fails reclaim 1 compact 0 kill 0']],
  ['costly NORETRY stays asynchronous', FRAGMENTED, KERNEL | NORETRY, 9, ['fails reclaim 1 compact 2 kill 0', 'fails reclaim 1 compact 2 kill 0', 'page reclaim 0 compact 1 kill 0']],
  ['THP NORETRY THISNODE: compaction only', STUCK, THP | NORETRY | THISNODE, 9, 'fails reclaim 0 compact 0 kill 0'],
  // RETRY_MAYFAIL never kills.
  ['RETRY_MAYFAIL', STUCK, KERNEL | RETRY_MAYFAIL, 0, 'fails reclaim 1 compact 0 kill 0'],
  ['RETRY_MAYFAIL and NORETRY', STUCK, KERNEL | RETRY_MAYFAIL | NORETRY, 0, 'fails reclaim 1 compact 0 kill 0'],
  ['THISNODE never kills', STUCK, KERNEL | THISNODE, 0, 'fails reclaim 1 compact 0 kill 0'],
  // NOFAIL laps until the model's bound.
  ['NOFAIL', STUCK, KERNEL | NOFAIL, 0, 'fails reclaim 64 compact 0 kill 64 bounded'],
  ['NOFAIL with page cache', PAGE_CACHE, KERNEL | NOFAIL, 0, 'page reclaim 1 compact 0 kill 0'],
];

describe.each(TABLE)('%s', (_, picture, flags, order, expected) => {
  test.each(POLICY_NAMES.map((policy, index) => [policy, index] as const))('%s', (policy, index) => {
    expect(outcome(policy, picture, flags, order)).toBe(
      typeof expected === 'string' ? expected : expected[index],
    );
  });
});

/** An unmovable page in every block: an asynchronous compaction for order 9 gains nothing. */
const PINNED = Array.from({ length: 8 }, () => 'LLU.L.L.').join('|');

test('a THP for this node only gives up after one compaction in 6.1 and 7.2, after two and a reclaim in 6.18', () => {
  const flags = THP | NORETRY | THISNODE;
  expect(POLICY_NAMES.map((policy) => outcome(policy, PINNED, flags, 9))).toEqual([
    'fails reclaim 0 compact 1 kill 0',
    'fails reclaim 1 compact 2 kill 0',
    'fails reclaim 0 compact 1 kill 0',
  ]);
});

describe.each(POLICY_NAMES)('%s', (policy) => {
  test('a victim that frees pages serves the request', () => {
    const machine = new Machine(policy, STUCK);
    machine.mm.onOom = ({ order }) => {
      for (let pfn = B; pfn < B + 64; pfn += 64) machine.freeCell(pfn);
      return order === 0 ? 64 : 0;
    };
    expect(machine.alloc(KERNEL)).toBe(B);
    expect(machine.mm.events.oom_kill).toBe(1);
  });

  test('a task under PF_MEMALLOC uses all reserves and never reclaims', () => {
    const reserve = 'LLLLLLL.|LLLLLLLL|LLLLLLLL|LLLLLLLL';
    const marks = [100, 200, 300] as const;
    const other = new Machine(policy, reserve, { marks });
    other.mm.onReclaim = (pfn) => expect(pfn).toBeGreaterThanOrEqual(B);
    expect(other.alloc(KERNEL)).toBeGreaterThan(0);
    expect(other.mm.events.allocstall_normal).toBe(1);
    const machine = new Machine(policy, reserve, { marks });
    machine.mm.task = { pf_memalloc: true, oom_victim: false, rt: false };
    expect(machine.alloc(KERNEL)).toBe(B + 0x1c0);
    expect(machine.mm.events.allocstall_normal).toBe(0);
    expect(machine.alloc(KERNEL | gfp.GFP_NOMEMALLOC_BIT)).toBe(NO_PFN);
  });

  test('a realtime task may use half of the min reserve', () => {
    const marks = [100, 200, 300] as const;
    const machine = new Machine(policy, 'UUUUUUU.|UUUUUUUU|UUUUUUUU|UUUUUUUU', { marks });
    expect(machine.alloc(KERNEL | NORETRY)).toBe(NO_PFN);
    machine.mm.task = { pf_memalloc: false, oom_victim: false, rt: true };
    expect(machine.alloc(KERNEL | NORETRY)).toBe(B + 0x1c0);
  });

  test('what per-CPU lists hold back is brought out before a request gives up', () => {
    // What is reclaimed goes to the CPU's lists and does not count as free: the marks forbid everything until a drain.
    const machine = new Machine(policy, PAGE_CACHE, { pcp_high: 1000 });
    const reclaimed = new Set<number>();
    machine.mm.onReclaim = (pfn) => reclaimed.add(pfn);
    expect(reclaimed).toContain(machine.alloc(KERNEL));
    expect(machine.mm.events.allocstall_normal).toBe(1);
    expect(reclaimed.size).toBe(machine.mm.events.pgsteal_direct);
  });

  test('NOFAIL is served from half of the reserve before its next lap', () => {
    const machine = new Machine(policy, 'UUUUUUU.|UUUUUUUU|UUUUUUUU|UUUUUUUU', { marks: [100, 200, 300] });
    expect(machine.alloc(KERNEL | NOFAIL | NORETRY)).toBe(B + 0x1c0);
    expect(machine.mm.events.spbsim_slowpath_bounded).toBe(0);
  });

  test('a request that may not reclaim leaves reclaim and compaction alone', () => {
    const machine = new Machine(policy, FRAGMENTED);
    expect(machine.alloc(gfp.GFP_ATOMIC, 9)).toBe(NO_PFN);
    expect(machine.mm.events.compact_stall).toBe(0);
    expect(machine.picture()).toBe(FRAGMENTED);
  });
});

test('a request without reclaim makes two attempts until 7.0, and one, or two with HIGH, from 7.1 on', () => {
  const attempts = (policy: PolicyName, flags: number) => {
    const machine = new Machine(policy, STUCK);
    machine.zone.pcps[0]!.free_factor = machine.zone.pcps[0]!.free_count = 64;
    machine.zone.flags |= ZONE_BELOW_HIGH;
    machine.zone.watermark.fill(-1);
    machine.zone.nr_free_pages = 1;
    const pcp = machine.zone.pcps[0]!;
    const before = pcp.free_factor;
    expect(machine.allocUnchecked(flags)).toBe(NO_PFN);
    return Math.log2(before / pcp.free_factor);
  };
  // The fast attempt walks the zones twice, with and without NOFRAGMENT.
  const nowait = gfp.GFP_KSWAPD_RECLAIM_BIT;
  expect(POLICY_NAMES.map((policy) => attempts(policy, nowait))).toEqual([4, 4, 3]);
  expect(POLICY_NAMES.map((policy) => attempts(policy, gfp.GFP_ATOMIC))).toEqual([4, 4, 4]);
});

test('defrag_mode compacts for a block before it mixes types', () => {
  const machine = new Machine('mainline-6.18', FRAGMENTED, { knobs: { 'fallback.defrag_mode': true } });
  const pfn = machine.alloc(KERNEL, 1);
  expect(pfn).toBeGreaterThan(0);
  expect(machine.mm.events.compact_stall).toBeGreaterThan(0);
});
