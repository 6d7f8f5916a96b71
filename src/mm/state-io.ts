/**
 * How a part of the model tells what it consists of, so that a run can be saved and gone on with.
 *
 * Each class with state of its own has one method, `serialize(io)`, that names every field once. The same method serves both
 * ways: while saving, `io` takes the values that it is given and gives them back; while loading, it gives those that were
 * saved. What follows from the machine and the policy alone is not named: whoever loads has made it already.
 *
 *     serialize(io: StateIo): void {
 *       this.count = io.number('count', this.count);
 *       io.array('next', this.next);
 *     }
 *
 * Objects that are known by reference elsewhere are named by their number: a zone, a node, a pass.
 */

/** Typed arrays that the model is made of. */
export type StateArray = Uint8Array | Uint16Array | Int32Array | Uint32Array | Float64Array;

export interface Serializable {
  serialize(io: StateIo): void;
}

export interface StateIo {
  /** values come back as they were saved; else they are being saved */
  readonly isLoading: boolean;
  number(name: string, value: number): number;
  /** a whole number of a known range, such as the number of something */
  whole(name: string, value: number, least: number, most: number): number;
  flag(name: string, value: boolean): boolean;
  /** one of a few words */
  word<W extends string>(name: string, value: W, words: readonly W[]): W;
  /** numbers, as many as there are; a new array while loading */
  list(name: string, values: readonly number[]): number[];
  /** numbers by name */
  table(name: string, values: ReadonlyMap<string, number>): Map<string, number>;
  /** an array whose length the machine gives; filled in place while loading */
  array(name: string, array: StateArray): void;
  /** an array that grows with the run; another one may come back while loading */
  growing<A extends StateArray>(name: string, array: A): A;
  /** objects of plain data that nobody changes any more */
  plain<T>(name: string, values: readonly T[]): T[];
  part(name: string, part: Serializable): void;
  /** a part that may be missing; `make` makes it where it was there when the state was saved */
  optional<P extends Serializable>(name: string, part: P | null, make: () => P): P | null;
  /** what was saved cannot be: it is not of this program, or damaged */
  refuse(what: string): never;
}

type NumberKey<T> = { [K in keyof T]-?: T[K] extends number ? K : never }[keyof T] & string;
type FlagKey<T> = { [K in keyof T]-?: T[K] extends boolean ? K : never }[keyof T] & string;
type ArrayKey<T> = { [K in keyof T]-?: T[K] extends StateArray ? K : never }[keyof T] & string;

/** Fields that are numbers. */
export function numbers<T extends object>(io: StateIo, object: T, names: readonly NumberKey<T>[]): void {
  const fields = object as Record<string, number>;
  for (const name of names) fields[name] = io.number(name, fields[name]!);
}

export function flags<T extends object>(io: StateIo, object: T, names: readonly FlagKey<T>[]): void {
  const fields = object as Record<string, boolean>;
  for (const name of names) fields[name] = io.flag(name, fields[name]!);
}

/** Fields that are arrays of a fixed length. */
export function arrays<T extends object>(io: StateIo, object: T, names: readonly ArrayKey<T>[]): void {
  const fields = object as Record<string, StateArray>;
  for (const name of names) io.array(name, fields[name]!);
}

/**
 * All public fields that are numbers or arrays of a fixed length, whichever they are: for collections of counters.
 *
 * @param except  fields that stay as they were made
 */
export function counters(io: StateIo, object: object, except: readonly string[] = []): void {
  const fields = object as Record<string, unknown>;
  for (const [name, value] of Object.entries(fields)) {
    if (except.includes(name)) continue;
    if (typeof value === 'number') fields[name] = io.number(name, value);
    else if (ArrayBuffer.isView(value)) io.array(name, value as StateArray);
  }
}

/** A set of whole numbers below `end`. */
export function numberSet(io: StateIo, name: string, set: Set<number>, end: number): void {
  const members = io.list(name, [...set]);
  if (!io.isLoading) return;
  set.clear();
  for (const member of members) {
    if (!Number.isInteger(member) || member < 0 || member >= end) io.refuse(`${name} holds ${member}`);
    set.add(member);
  }
}
