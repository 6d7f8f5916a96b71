/**
 * The locks that are held, outermost first. The model does one thing at a time, so what strikes lets go of its locks
 * before the code below goes on, and one stack serves all CPUs.
 */
import type { Zone } from '../page-alloc/zone.js';
import type { KmemCache } from '../slab/kmem-cache.js';

/** Locks of both allocators. */
export const LockKind = { cpu_slab: 0, list_lock: 1, pcp: 2, zone: 3, barn: 4 } as const;
export type LockKind = (typeof LockKind)[keyof typeof LockKind];
export const LOCK_NAMES = ['cpu_slab', 'list_lock', 'pcp', 'zone', 'barn'] as const;
export type LockName = (typeof LOCK_NAMES)[number];

/** CPU of no holder. */
export const NO_CPU = -1;

export class HeldLocks {
  readonly #kinds: LockKind[] = [];
  readonly #owners: (KmemCache | Zone)[] = [];
  readonly #indexes: number[] = [];
  readonly #cpus: number[] = [];
  /** number of the frame that took it */
  readonly #frames: number[] = [];

  /** @param index CPU or node of the lock, as far as it has one */
  push(kind: LockKind, owner: KmemCache | Zone, index: number, cpu: number, frame: number): void {
    this.#kinds.push(kind);
    this.#owners.push(owner);
    this.#indexes.push(index);
    this.#cpus.push(cpu);
    this.#frames.push(frame);
  }

  /** Forgets the lock that was taken last; locks are let go in reversed order. */
  pop(): void {
    this.#kinds.pop();
    this.#owners.pop();
    this.#indexes.pop();
    this.#cpus.pop();
    this.#frames.pop();
  }

  get count(): number {
    return this.#kinds.length;
  }

  /** Whether the lock taken last is this one. */
  isLast(kind: LockKind, owner: KmemCache | Zone, index: number): boolean {
    return this.#is(this.count - 1, kind, owner, index);
  }

  /** CPU that holds a lock, NO_CPU if it is free. */
  holder(kind: LockKind, owner: KmemCache | Zone, index: number): number {
    for (let at = this.count - 1; at >= 0; at--) if (this.#is(at, kind, owner, index)) return this.#cpus[at]!;
    return NO_CPU;
  }

  #is(at: number, kind: LockKind, owner: KmemCache | Zone, index: number): boolean {
    return this.#kinds[at] === kind && this.#owners[at] === owner && this.#indexes[at] === index;
  }

  /** All but the locks of the page lists and of a CPU's sheaves are taken with interrupts off. model: slub 7.1, 8a.2 */
  turnsInterruptsOff(cpu: number): boolean {
    for (let at = this.count - 1; at >= 0; at--)
      if (this.#cpus[at] === cpu && this.#kinds[at] !== LockKind.pcp && !this.#isOfSheaves(at)) return true;
    return false;
  }

  #isOfSheaves(at: number): boolean {
    const owner = this.#owners[at]!;
    return this.#kinds[at] === LockKind.cpu_slab && 'sheaves' in owner && owner.sheaves !== null;
  }

  /** Names of what is held, outermost first, by whom `wants` says. */
  namesOf(wants: (frame: number, cpu: number) => boolean): string[] {
    const names: string[] = [];
    for (let at = 0; at < this.count; at++)
      if (wants(this.#frames[at]!, this.#cpus[at]!))
        names.push(lockText(this.#kinds[at]!, this.#owners[at]!, this.#indexes[at]!));
    return names;
  }
}

/** `list_lock kmalloc-64 0`, `zone 2` */
export function lockText(kind: LockKind, owner: KmemCache | Zone, index: number): string {
  const name = LOCK_NAMES[kind];
  if ('geometry' in owner) return `${name} ${owner.name} ${index}`;
  return kind === LockKind.zone ? `${name} ${owner.number}` : `${name} ${owner.number} ${index}`;
}
