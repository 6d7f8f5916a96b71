/**
 * The state of a run in memory: what `serialize` methods name, in the order in which they name it.
 *
 * A snapshot can be put back into the objects that it was taken of, any number of times, or into others that were made from
 * the same description. It shares nothing with either.
 */
import { InvariantError } from '../../mm/invariant.js';
import type { Serializable, StateArray, StateIo } from '../../mm/state-io.js';
import { PackedArray } from './packed-array.js';

/** Numbers by name. */
export class Table {
  constructor(readonly rows: readonly (readonly [string, number])[]) {}
}

/** Objects of plain data. */
export class Plain {
  constructor(readonly values: readonly unknown[]) {}
}

/** What stands where a part begins. */
export const PART = null;

export type Value = number | boolean | string | Float64Array | Table | PackedArray | Plain | typeof PART;

export interface Entry {
  readonly name: string;
  readonly value: Value;
}

/** Elements that an array may grow to: ids of the largest trace that is read, with room to spare. */
const MAX_GROWN = 2 ** 28;

export class Snapshot {
  constructor(readonly entries: readonly Entry[]) {}

  static of(what: Serializable): Snapshot {
    const writer = new Writer();
    what.serialize(writer);
    return new Snapshot(writer.entries);
  }

  /**
   * Makes `what` as it was when the snapshot was taken.
   *
   * @param refuse  makes the error where the snapshot does not fit; half of it may be restored then
   */
  restore(
    what: Serializable,
    refuse: (text: string) => Error = (text) => new InvariantError(`this snapshot does not fit: ${text}`),
  ): void {
    const reader = new Reader(this.entries, refuse);
    what.serialize(reader);
    reader.end();
  }
}

class Writer implements StateIo {
  readonly isLoading = false;
  readonly entries: Entry[] = [];

  #put(name: string, value: Value): void {
    this.entries.push({ name, value });
  }

  number(name: string, value: number): number {
    this.#put(name, value);
    return value;
  }

  whole(name: string, value: number): number {
    return this.number(name, value);
  }

  flag(name: string, value: boolean): boolean {
    this.#put(name, value);
    return value;
  }

  word<W extends string>(name: string, value: W): W {
    this.#put(name, value);
    return value;
  }

  list(name: string, values: readonly number[]): number[] {
    this.#put(name, Float64Array.from(values));
    return [...values];
  }

  table(name: string, values: ReadonlyMap<string, number>): Map<string, number> {
    this.#put(name, new Table([...values]));
    return new Map(values);
  }

  array(name: string, array: StateArray): void {
    this.#put(name, PackedArray.of(array));
  }

  growing<A extends StateArray>(name: string, array: A): A {
    this.array(name, array);
    return array;
  }

  plain<T>(name: string, values: readonly T[]): T[] {
    this.#put(name, new Plain([...values]));
    return [...values];
  }

  part(name: string, part: Serializable): void {
    this.#put(name, PART);
    part.serialize(this);
  }

  optional<P extends Serializable>(name: string, part: P | null): P | null {
    this.flag(name, part !== null);
    part?.serialize(this);
    return part;
  }

  refuse(what: string): never {
    throw new InvariantError(`a state that is being saved: ${what}`);
  }
}

class Reader implements StateIo {
  readonly isLoading = true;
  #at = 0;

  constructor(
    readonly entries: readonly Entry[],
    readonly error: (text: string) => Error,
  ) {}

  /** Nothing may be left over. */
  end(): void {
    const entry = this.entries[this.#at];
    if (entry !== undefined) this.refuse(`${entry.name} is too much`);
  }

  refuse(what: string): never {
    throw this.error(what);
  }

  #take<V extends Value>(name: string, is: (value: Value) => value is V): V {
    const entry = this.entries[this.#at++];
    if (entry === undefined) return this.refuse(`${name} is missing`);
    if (entry.name !== name) return this.refuse(`${entry.name} stands where ${name} is expected`);
    if (!is(entry.value)) return this.refuse(`${name} is of another kind`);
    return entry.value;
  }

  number(name: string, _value: number): number {
    return this.#take(name, (value) => typeof value === 'number');
  }

  whole(name: string, _value: number, least: number, most: number): number {
    const value = this.number(name, 0);
    if (!Number.isInteger(value) || value < least || value > most)
      return this.refuse(`${name} is ${value}, not ${least} to ${most}`);
    return value;
  }

  flag(name: string, _value: boolean): boolean {
    return this.#take(name, (value) => typeof value === 'boolean');
  }

  word<W extends string>(name: string, _value: W, words: readonly W[]): W {
    const word = this.#take(name, (value) => typeof value === 'string');
    return words.find((known) => known === word) ?? this.refuse(`${name} is none of ${words.join(', ')}`);
  }

  list(name: string, _values: readonly number[]): number[] {
    return Array.from(this.#take(name, (value) => value instanceof Float64Array));
  }

  table(name: string, _values: ReadonlyMap<string, number>): Map<string, number> {
    return new Map(this.#take(name, (value) => value instanceof Table).rows);
  }

  #packed(name: string, like: StateArray): PackedArray {
    const packed = this.#take(name, (value) => value instanceof PackedArray);
    if (packed.runs.some(({ values }) => values.constructor !== like.constructor))
      return this.refuse(`${name} is of another kind`);
    return packed;
  }

  array(name: string, array: StateArray): void {
    const packed = this.#packed(name, array);
    if (packed.length !== array.length)
      this.refuse(`${name} has ${packed.length} entries, not ${array.length}`);
    packed.restore(array);
  }

  growing<A extends StateArray>(name: string, array: A): A {
    const packed = this.#packed(name, array);
    if (packed.length > MAX_GROWN) this.refuse(`${name} has ${packed.length} entries`);
    const fits = packed.length === array.length;
    const target = fits ? array : new (array.constructor as new (length: number) => A)(packed.length);
    packed.restore(target);
    return target;
  }

  plain<T>(name: string, _values: readonly T[]): T[] {
    // What comes from a file has been checked by whoever read it.
    return [...this.#take(name, (value) => value instanceof Plain).values] as T[];
  }

  part(name: string, part: Serializable): void {
    this.#take(name, (value) => value === PART);
    part.serialize(this);
  }

  optional<P extends Serializable>(name: string, part: P | null, make: () => P): P | null {
    if (!this.flag(name, false)) return null;
    const there = part ?? make();
    there.serialize(this);
    return there;
  }
}
