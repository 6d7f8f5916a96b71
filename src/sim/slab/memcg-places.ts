/**
 * The tree of paths of a trace. A path is a number here, its *place*, with the memory cgroup that lives there. One that has
 * ended keeps its number, and the place may get another.
 * model: slub 5.5.4
 */
import { ROOT_MEMCG } from '../../mm/memcg/mem-cgroups.js';
import type { StateIo } from '../../mm/state-io.js';
import { InputError } from '../../trace/input-error.js';
import { memcgPathProblem, parentPath } from './memcg-path.js';

/** No memory cgroup lives there. */
export const NO_MEMCG = -1;
const ROOT_PLACE = 0;

interface Place {
  readonly path: string;
  /** -1 of the root */
  readonly parent: number;
  /** the one that lives here, or NO_MEMCG */
  memcg: number;
  /** places right below where one lives */
  children: number;
}

export interface MemcgPlacesOptions {
  /** makes a memory cgroup below another one; their numbers go up by one */
  readonly create: (parent: number) => number;
  /** more than these, whether they live or not, are refused */
  readonly max_memcgs: number;
  /** the input, for errors */
  readonly file: string;
}

export class MemcgPlaces {
  /** parents before what is below them */
  #places: Place[] = [];
  readonly #byPath = new Map<string, number>();
  /** place of each memory cgroup, the root's first */
  #placeOf: number[] = [];
  readonly #options: MemcgPlacesOptions;

  constructor(options: MemcgPlacesOptions) {
    this.#options = options;
    this.#clear();
  }

  #clear(): void {
    this.#places = [{ path: '/', parent: -1, memcg: ROOT_MEMCG, children: 0 }];
    this.#placeOf = [ROOT_PLACE];
    this.#byPath.clear();
    this.#byPath.set('/', ROOT_PLACE);
  }

  /** Memory cgroups that were made, in that order, the root not among them. */
  memcgs(): { readonly memcg: number; readonly path: string; readonly isOnline: boolean }[] {
    return this.#placeOf.slice(1).map((at, i) => {
      const { path, memcg } = this.#places[at]!;
      return { memcg: i + 1, path, isOnline: memcg === i + 1 };
    });
  }

  /** The one that lives there, or NO_MEMCG. */
  memcgAt(place: number): number {
    return this.#places[place]!.memcg;
  }

  /** The nearest one that lives, there or above. */
  payerOf(place: number): number {
    let at = this.#places[place]!;
    while (at.memcg === NO_MEMCG) at = this.#places[at.parent]!;
    return at.memcg;
  }

  /** @throws InputError for a path that cannot be */
  find(path: string): number | undefined {
    const known = this.#byPath.get(path);
    const problem = known === undefined ? memcgPathProblem(path) : undefined;
    if (problem !== undefined)
      throw new InputError({ file: this.#options.file, field: 'memcg', value: path, ...problem });
    return known;
  }

  /** The place of a path. One that nobody has named before gets a memory cgroup, as do all above it. @throws InputError */
  meet(path: string): number {
    const known = this.find(path);
    if (known !== undefined) return known;
    const missing: string[] = [];
    let at = path;
    for (; !this.#byPath.has(at); at = parentPath(at)) missing.push(at);
    let place = this.#byPath.get(at)!;
    for (const name of missing.reverse()) {
      place = this.#add(name, place);
      this.revive(place);
    }
    return place;
  }

  /** A new memory cgroup at a place without. @returns NO_MEMCG where none lives above: then none can below */
  revive(at: number): number {
    const place = this.#places[at]!;
    const parent = this.#places[place.parent]!;
    if (parent.memcg === NO_MEMCG) return NO_MEMCG;
    if (this.#placeOf.length > this.#options.max_memcgs) throw this.#tooMany(place.path);
    place.memcg = this.#options.create(parent.memcg);
    parent.children++;
    this.#placeOf.push(at);
    return place.memcg;
  }

  /** Whether what lives there may end: it is not the root, and none below it lives. */
  mayEnd(at: number): boolean {
    return at !== ROOT_PLACE && this.#places[at]!.children === 0;
  }

  /** @returns who pays from now on */
  end(at: number): number {
    const place = this.#places[at]!;
    place.memcg = NO_MEMCG;
    this.#places[place.parent]!.children--;
    return this.payerOf(place.parent);
  }

  #add(path: string, parent: number): number {
    if (this.#places.length > this.#options.max_memcgs) throw this.#tooMany(path);
    const place = this.#places.length;
    this.#places.push({ path, parent, memcg: NO_MEMCG, children: 0 });
    this.#byPath.set(path, place);
    return place;
  }

  #tooMany(path: string): InputError {
    const { file, max_memcgs } = this.#options;
    return new InputError({
      file,
      field: 'memcg',
      value: path,
      expectation: `is one more than ${max_memcgs.toLocaleString('en-US')} memory cgroups`,
      remedy: 'name cgroups higher up in the tree',
    });
  }

  serialize(io: StateIo): void {
    const places = io.plain(
      'memcg_places',
      this.#places.slice(1).map(({ path, memcg }) => ({ path, memcg })),
    );
    const placeOf = io.list('place_of_memcgs', this.#placeOf.slice(1));
    if (!io.isLoading) return;
    this.#clear();
    for (const { path, memcg } of places) this.#load(io, path, memcg);
    for (const place of placeOf)
      if (this.#places[place] === undefined) io.refuse(`there is no place ${place}`);
    this.#placeOf.push(...placeOf);
    for (const [place, { memcg }] of this.#places.entries())
      if (memcg !== NO_MEMCG && this.#placeOf[memcg] !== place)
        io.refuse(`memory cgroup ${memcg} is not where it lives`);
  }

  #load(io: StateIo, path: string, memcg: number): void {
    const isPath = typeof path === 'string' && memcgPathProblem(path) === undefined;
    const parent = isPath ? this.#byPath.get(parentPath(path)) : undefined;
    if (parent === undefined || this.#byPath.has(path)) io.refuse('a cgroup has no place in the tree');
    if (memcg !== NO_MEMCG && this.#places[parent]!.memcg === NO_MEMCG)
      io.refuse('a cgroup lives below one that does not');
    const place = this.#add(path, parent);
    this.#places[place]!.memcg = memcg;
    if (memcg !== NO_MEMCG) this.#places[parent]!.children++;
  }

  /** Memory cgroups, the root among them. */
  get count(): number {
    return this.#placeOf.length;
  }
}
