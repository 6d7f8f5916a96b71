/** slab_debug= of the boot line. model: slub 3.6a */
import { describe, expect, test } from 'vitest';
import { parseSlabDebug, withDebugFlags } from '../../../src/mm/slab/slab-debug.js';
import {
  SLAB_CONSISTENCY_CHECKS as F,
  SLAB_DEBUG_FZPU as FZPU,
  SLAB_POISON as P,
  SLAB_NO_USER_FLAGS,
  SLAB_NOLEAKTRACE,
  SLAB_TRACE as T,
  SLAB_STORE_USER as U,
  SLAB_RED_ZONE as Z,
} from '../../../src/mm/slab/slab-flags.js';
import { Rig } from './support.js';

/** Flags that each of some caches is created with. */
function flagsOf(text: string, ...names: string[]): number[] {
  const debug = parseSlabDebug(text);
  return names.map((name) => withDebugFlags(debug, name, 0));
}

describe('which caches, and how', () => {
  test.each([
    ['', [0, 0]],
    ['FZPU', [FZPU, FZPU]],
    ['fzput', [FZPU | T, FZPU | T]],
    ['-', [0, 0]],
    ['F-Z', [Z, Z]],
    ['FZ,kmalloc-64,dentry', [F | Z, 0]],
    ['FZ,dentry,kmalloc-6*', [F | Z, 0]],
    [',kmalloc-64', [FZPU, 0]],
    ['-,kmalloc-64', [0, 0]],
    ['Z;FP,kmalloc-64', [F | P, Z]],
    ['FP,kmalloc-64;Z', [F | P, Z]],
    [';;F,kmalloc-64;;P,kmalloc-128;', [F, P]],
    ['F,kmalloc-*;P,kmalloc-128', [F, F]],
    ['F,kmalloc-1', [0, 0]],
    ['F,*', [F, F]],
    ['FZPU;-,kmalloc-64', [0, FZPU]],
  ])('%j', (text, expected) => {
    expect(flagsOf(text, 'kmalloc-64', 'kmalloc-128')).toEqual(expected);
  });

  test('unknown letters are told, made-up failures change nothing', () => {
    expect(parseSlabDebug('FQ;Zx,kmalloc-64').unknown).toBe('qx');
    expect(flagsOf('A', 'dentry')).toEqual([0]);
  });

  test('caches of debugging tools keep no traces unless named, some are left alone', () => {
    const debug = parseSlabDebug('FU;U,named');
    expect(withDebugFlags(debug, 'kmemleak_object', SLAB_NOLEAKTRACE)).toBe(SLAB_NOLEAKTRACE | F);
    expect(withDebugFlags(debug, 'named', SLAB_NOLEAKTRACE)).toBe(SLAB_NOLEAKTRACE | U);
    expect(withDebugFlags(debug, 'named', SLAB_NO_USER_FLAGS)).toBe(SLAB_NO_USER_FLAGS);
  });
});

test('a machine that boots with it creates its caches so', () => {
  const rig = new Rig({ build: { slab_debug: 'FZPU,test-64' } });
  const [debugged, plain] = [rig.cache(64), rig.cache(128)];
  expect([debugged.isDebug, debugged.cpu_partial_slabs, plain.isDebug]).toEqual([true, 0, false]);
  expect([debugged.geometry.size_bytes > 64, plain.geometry.size_bytes]).toEqual([true, 128]);
});

test('O leaves caches without what would make their smallest slab larger', () => {
  const rig = new Rig({ build: { slab_debug: 'FZPUO' } });
  const [small, page] = [rig.cache(64), rig.cache(4096)];
  expect(small.spec.flags & FZPU).toBe(FZPU);
  expect([page.spec.flags & FZPU, page.geometry.size_bytes, page.isDebug]).toEqual([F, 4096, true]);
  expect(new Rig({ build: { slab_debug: 'FZPU' } }).cache(4096).geometry.min_order).toBe(1);
});
