/** Random machines and sequences of requests for the naive model and the real allocator. */
import fc from 'fast-check';
import type { Policy } from '../../../src/mm/policy.js';
import { PAGEBLOCK_PAGES } from '../../../src/mm/types.js';
import { type BlockPlan, SideBySide } from './naive-compare.js';
import type { Generation, NaiveSettings } from './naive-model.js';

const START = 0x1000;

/** gfp of the requests: type, reserves, kswapd; none may reclaim by itself. */
const GFP_TYPES = [0, 0x8, 0x8 | 0x2, 0x10];
const GFP_KINDS = [
  0x800, // GFP_NOWAIT
  0x820, // GFP_ATOMIC
  0xa20, // GFP_ATOMIC of 6.1
  0x20, // __GFP_HIGH alone
  0x8_0000, // no reserves
  0x8_0820, // __GFP_HIGH without the blocks kept for it
];

const blockPlan: fc.Arbitrary<BlockPlan> = fc.record({
  type: fc.nat({ max: 2 }),
  order: fc.oneof(fc.nat({ max: 8 }), fc.constant(9)),
  movable: fc.boolean(),
});

export interface Plan {
  readonly settings: Omit<NaiveSettings, 'generation'>;
  /** pages that the zone lacks at its start */
  readonly late: number;
  readonly blocks: readonly BlockPlan[];
}

export const plan: fc.Arbitrary<Plan> = fc
  .record({
    blocks: fc.array(blockPlan, { minLength: 1, maxLength: 10 }),
    /** pages that the zone lacks at its start and end, so that its outer blocks are not all its own */
    late: fc.constantFrom(0, 0, 0, 0x40, 0x1c5),
    missing: fc.constantFrom(0, 0, 0, 0x40, 0x133),
    large: fc.constantFrom(true, true, false),
    min: fc.oneof(fc.constant(0), fc.nat({ max: 60 })),
    step: fc.oneof(fc.constant(0), fc.nat({ max: 100 })),
    /** a high mark far above low gives boosts room to grow */
    boostRoom: fc.constantFrom(0, 0, 700, 2000),
    reserve: fc.constantFrom(0, 0, 17),
    threshold: fc.constantFrom(0, 2, 28, 125),
    boostFactor: fc.constantFrom(15_000, 15_000, 0),
    cpus: fc.integer({ min: 1, max: 2 }),
    batch: fc.constantFrom(1, 3, 7, 15, 63),
    highBatches: fc.constantFrom(0, 1, 2, 5, 40),
    tuned: fc.constantFrom(0, 10, 300),
    freeHighBatch: fc.boolean(),
  })
  .map((raw) => ({
    blocks: raw.blocks,
    late: raw.late,
    settings: {
      start: START,
      end: START + raw.blocks.length * PAGEBLOCK_PAGES - raw.missing,
      managed: raw.large ? 1_310_720 : raw.blocks.length * PAGEBLOCK_PAGES,
      min: raw.min,
      low: raw.min + raw.step,
      high: raw.min + 2 * raw.step + raw.boostRoom,
      reserveNormal: raw.reserve,
      reserveMovable: raw.reserve * 2,
      threshold: raw.threshold,
      boostFactor: raw.boostFactor,
      cpus: raw.cpus,
      batch: raw.batch,
      pcpHighMin: raw.batch * raw.highBatches,
      pcpHighMax: raw.batch * raw.highBatches + raw.tuned,
      freeHighBatch: raw.freeHighBatch,
    },
  }));

/**
 * A pair of allocators of one generation for a plan.
 *
 * Where a 6.1 zone begins inside a block, its fallback counts the movable pages of a part of that block only; the real
 * allocator keeps one number per block. So 6.1 zones begin with a whole block here.
 */
export function pairFor(
  { settings, late, blocks }: Plan,
  generation: Generation,
  knobs: Partial<Policy> = {},
): SideBySide {
  const first = generation === '6.1' || blocks.length === 1 ? 0 : late;
  return new SideBySide({ ...settings, start: settings.start + first, generation }, blocks, knobs);
}

/** One operation; the numbers are cut to what the run has. */
export type Command = (run: SideBySide) => void;

const nat = (max: number) => fc.nat({ max });
const order = fc.oneof(
  { weight: 12, arbitrary: fc.constant(0) },
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 3 }) },
  { weight: 3, arbitrary: fc.integer({ min: 4, max: 8 }) },
  { weight: 2, arbitrary: fc.integer({ min: 9, max: 10 }) },
);

function described(text: string, command: Command): Command {
  return Object.assign(command, { [fc.toStringMethod]: () => text });
}

const alloc = fc
  .tuple(
    nat(1),
    nat(GFP_TYPES.length - 1),
    nat(GFP_KINDS.length - 1),
    order,
    fc.boolean(),
    fc.integer({ min: 1, max: 12 }),
  )
  .map(([cpu, type, kind, size, lru, times]) => {
    const gfp = GFP_TYPES[type]! | GFP_KINDS[kind]!;
    return described(
      `alloc(cpu ${cpu}, gfp 0x${gfp.toString(16)}, order ${size}, lru ${lru}) x ${times}`,
      (run) => {
        for (let i = 0; i < times; i++) run.alloc(cpu % run.settings.cpus, gfp, size, lru);
      },
    );
  });

const free = fc
  .tuple(nat(1), nat(0xffff), fc.constantFrom(10, 10, 10, 10, 0, 2, 9), fc.integer({ min: 1, max: 24 }))
  .map(([cpu, pick, splitTo, times]) =>
    described(`free(cpu ${cpu}, pick ${pick}, split to ${splitTo}) x ${times}`, (run) => {
      for (let i = 0; i < times; i++) run.free(cpu % run.settings.cpus, pick + 7 * i, splitTo);
    }),
  );

/** Allocates until nothing of one order is left, then of the next smaller one. */
const squeeze = fc
  .tuple(nat(1), nat(GFP_TYPES.length - 1), nat(GFP_KINDS.length - 1), fc.integer({ min: 3, max: 10 }))
  .map(([cpu, type, kind, size]) => {
    const gfp = GFP_TYPES[type]! | GFP_KINDS[kind]!;
    return described(`squeeze(cpu ${cpu}, gfp 0x${gfp.toString(16)}, order ${size})`, (run) => {
      const until = (wanted: number, most: number) => {
        for (let i = 0; i < most && run.alloc(cpu % run.settings.cpus, gfp, wanted, false) >= 0; i++);
      };
      for (let wanted = size; wanted >= 0; wanted--) until(wanted, 30);
    });
  });

const freeAll = nat(1).map((cpu) =>
  described(`freeAll(cpu ${cpu})`, (run) => {
    while (run.live.length > 0) run.free(cpu % run.settings.cpus, 0, 10);
    run.drain(cpu % run.settings.cpus);
  }),
);

const rare = fc.oneof(
  squeeze,
  freeAll,
  nat(1).map((cpu) => described(`drain(${cpu})`, (run) => run.drain(cpu % run.settings.cpus))),
  fc.boolean().map((active) => described(`reclaim(${active})`, (run) => run.reclaim(active))),
  fc
    .tuple(nat(2), fc.boolean())
    .map(([type, force]) =>
      described(`unreserve(${type}, ${force})`, (run) => run.unreserve(0, type, force)),
    ),
);

export const commands = fc.array(
  fc.oneof({ weight: 11, arbitrary: alloc }, { weight: 8, arbitrary: free }, { weight: 2, arbitrary: rare }),
  { minLength: 1, maxLength: 120, size: 'max' },
);
