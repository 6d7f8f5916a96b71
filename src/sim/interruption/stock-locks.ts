/**
 * The locks of the memory cgroups' stocks, as places where something may strike. Whoever finds one taken does without the
 * stock: nobody waits for them.
 * model: slub 5.5
 */
import {
  type InterruptedMemcgLocks,
  type MemcgCharges,
  MemcgLock,
  type MemcgLockListener,
} from '../../mm/memcg/memcg-charges.js';
import { NolockLockNumber } from '../slab/nolock-outcomes.js';
import type { AnyPoint } from './op-calls.js';

const NR_LOCKS = Object.keys(MemcgLock).length;
const POINTS: readonly AnyPoint[] = ['memcg_stock', 'obj_stock'];
const LOCK_NUMBERS = [NolockLockNumber.memcg_stock, NolockLockNumber.obj_stock] as const;

export class StockLocks implements MemcgLockListener, InterruptedMemcgLocks {
  readonly #held: Uint8Array;
  readonly #strike: (point: AnyPoint, cpu: number) => void;

  constructor(nr_cpus: number, strike: (point: AnyPoint, cpu: number) => void) {
    this.#held = new Uint8Array(nr_cpus * NR_LOCKS);
    this.#strike = strike;
  }

  attach(charges: MemcgCharges): void {
    charges.locks = this;
    charges.interrupted = this;
  }

  static detach(charges: MemcgCharges): void {
    charges.locks = null;
    charges.interrupted = null;
  }

  enter(lock: MemcgLock, cpu: number): void {
    this.#held[cpu * NR_LOCKS + lock]!++;
    this.#strike(POINTS[lock]!, cpu);
  }

  leave(lock: MemcgLock, cpu: number): void {
    this.#held[cpu * NR_LOCKS + lock]!--;
  }

  holds(lock: MemcgLock, cpu: number): boolean {
    return this.#held[cpu * NR_LOCKS + lock]! > 0;
  }

  /** NolockLockNumber of a stock lock that a CPU holds, the inner one if it holds both; -1 for none. */
  heldOn(cpu: number): number {
    for (let lock = 0; lock < NR_LOCKS; lock++)
      if (this.#held[cpu * NR_LOCKS + lock]! > 0) return LOCK_NUMBERS[lock]!;
    return -1;
  }
}
