import { describe, expect, test } from 'vitest';
import { BUILD_WORDS, parseBuild, withBuild } from '../../src/config/machine-build.js';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import { DEFAULT_BUILD } from '../../src/mm/machine-build.js';

describe('--build', () => {
  test.each([
    ['preempt_rt', { preempt_rt: true }],
    ['up,slub_tiny', { smp: false, slub_tiny: true }],
    ['no_cmpxchg_double,slab_nomerge', { cmpxchg_double: false, slab_merge: false }],
    ['slab_debug', { slab_debug: 'FZPU' }],
    ['slab_debug=', { slab_debug: 'FZPU' }],
    ['slab_debug=-', { slab_debug: '-' }],
    ['slab_debug=FZ,kmalloc-64;P,dentry*', { slab_debug: 'FZ,kmalloc-64;P,dentry*' }],
    ['preempt_rt,slab_debug=,kmalloc-64,up', { preempt_rt: true, slab_debug: ',kmalloc-64,up' }],
  ])('%s', (text, changes) => {
    expect(parseBuild(text).changes).toEqual(changes);
  });

  test.each(['', 'rt', 'preempt_rt,', ',up', 'preempt_rt=1', 'constructor', '__proto__', 'xslab_debug=F'])(
    'no word: %j',
    (text) => {
      expect(() => parseBuild(text)).toThrow(/^--build .*unknown word ".*expected preempt_rt, up/);
    },
  );

  test('each word changes something', () => {
    for (const word of BUILD_WORDS)
      expect({ ...DEFAULT_BUILD, ...parseBuild(word).changes }).not.toEqual(DEFAULT_BUILD);
  });

  test('it changes what a machine says, and leaves the rest', () => {
    const spec = machineFromSize({ memory_pages: 1 << 20, cpus: 1 });
    expect(withBuild(spec, undefined)).toBe(spec);
    const rt = withBuild(spec, parseBuild('preempt_rt'));
    expect(rt).toEqual({ ...spec, build: { ...DEFAULT_BUILD, preempt_rt: true } });
    expect(withBuild(rt, parseBuild('up')).build).toEqual({ ...DEFAULT_BUILD, preempt_rt: true, smp: false });
  });

  test('what no kernel can be is refused', () => {
    const spec = machineFromSize({ memory_pages: 1 << 20, cpus: 2 });
    const refused = (text: string) => expect(() => withBuild(spec, parseBuild(text)));
    refused('up').toThrow('--build up: a kernel for one processor has one CPU, this machine has 2');
    refused('slub_tiny,slab_debug').toThrow('a SLUB_TINY kernel is built without slab debugging');
    refused('slab_debug=FX').toThrow('unknown option "x"');
  });
});
