/** Knobs of the slab allocator: the shape of caches, and what is parked where. */
import { boolean, choice, type KnobSpec, number, numbers } from './knob.js';

export const SLAB_KNOBS = {
  'slab.replay': boolean(
    true,
    'slub 0',
    "slab events go through the slab allocator, whose pages stand for the trace's own slab pages; off: they are counted only",
  ),
  'slab.min_order': number(0, 0, 10, 'order', 'slub 1.5', 'slab_min_order= of the boot line'),
  'slab.max_order': number(
    3,
    0,
    10,
    'order',
    'slub 1.5',
    'slab_max_order=: the largest order that is chosen for its own sake',
  ),
  'slab.min_objects': number(
    0,
    0,
    32_767,
    'objects',
    'slub 1.5',
    'slab_min_objects=; 0 = from the number of CPUs',
  ),
  'slab.order_search': choice(
    'double_waste',
    ['relax_objects', 'double_waste'],
    'slub 1.5',
    'when no order wastes little enough: ask for one object less, then again (6.1), or allow twice the waste (6.8+)',
  ),
  'slab.kmalloc_align': choice(
    'largest_divisor',
    ['power_of_two', 'largest_divisor'],
    'slub 1.3',
    'kmalloc caches are aligned to their size if that is a power of two (6.1), or to the largest power of two in it (6.12+)',
  ),
  'slab.min_partial_least': number(
    5,
    0,
    10_000,
    'slabs',
    'slub 1.6',
    'empty slabs that a node keeps of small objects',
  ),
  'slab.min_partial_most': number(10, 0, 10_000, 'slabs', 'slub 1.6', 'and of the largest'),
  'slab.cpu_partial': boolean(
    true,
    'slub 1.6, 2.6',
    'CPUs park partly free slabs of their own (CONFIG_SLUB_CPU_PARTIAL; gone in 7.0)',
  ),
  'slab.cpu_partial_objects': numbers(
    [120, 52, 24, 6],
    4,
    'objects',
    'slub 1.6',
    'free objects that a CPU may park, for slots below 256 bytes, below 1024, below a page, and larger',
  ),
  'slab.bulk_free_group': choice(
    'turned',
    ['turned', 'straight'],
    'slub 2.6a',
    'the objects of one slab in a bulk free enter its freelist turned round by the free hooks, or as they were gathered',
  ),
  'slab.track_bytes': number(
    32,
    16,
    4096,
    'bytes',
    'slub 1.4',
    'one stack trace kept per slot by slab_debug=U: 32 with the stack depot, else 16 words and more',
  ),
  'slab.orig_size_bytes': number(
    4,
    0,
    8,
    'bytes',
    'slub 1.4',
    'room for the requested size beside it, in kmalloc caches',
  ),
} as const satisfies Record<string, KnobSpec>;
