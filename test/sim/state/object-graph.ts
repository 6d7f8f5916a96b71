/**
 * Two sessions compared field by field, private ones included: nobody has to tell what there is.
 *
 * The inspector of Node shows what `#` hides. Each pair of objects is compared once, so the graph may have circles, and objects
 * that are one on one side must be one on the other.
 */
import { Session } from 'node:inspector';

interface RemoteObject {
  readonly type: string;
  readonly value?: unknown;
  readonly unserializableValue?: string;
  readonly objectId?: string;
}

interface Handover {
  handed?: unknown;
}

/** Where both sides differ, as a path such as `start.mm.zones[0].#count`. */
export interface Difference {
  readonly path: string;
  readonly text: string;
}

const MAX_DIFFERENCES = 20;

export class ObjectGraphs {
  readonly #differences: Difference[] = [];
  readonly #pairs = new Map<object, object>();

  /** @param isLeftOut  paths, without the numbers of list entries, that may differ */
  constructor(readonly isLeftOut: (path: string) => boolean) {}

  /** The first differences of two objects, none if they are alike. */
  differences(a: object, b: object): readonly Difference[] {
    this.#compare(a, b, '');
    return this.#differences;
  }

  #note(path: string, text: string): void {
    this.#differences.push({ path, text });
  }

  #compare(a: unknown, b: unknown, path: string): void {
    if (this.#differences.length >= MAX_DIFFERENCES || this.isLeftOut(path.replace(/\[[^\]]*\]/g, '[]')))
      return;
    if (typeof a === 'function' && typeof b === 'function') return;
    if (!isObject(a) || !isObject(b)) {
      if (!Object.is(a, b)) this.#note(path, `${String(a)} and ${String(b)}`);
      return;
    }
    const partner = this.#pairs.get(a);
    if (partner !== undefined) {
      if (partner !== b) this.#note(path, 'one object on one side, two on the other');
      return;
    }
    this.#pairs.set(a, b);
    if (a.constructor !== b.constructor)
      this.#note(path, `${a.constructor?.name} and ${b.constructor?.name}`);
    else if (ArrayBuffer.isView(a)) this.#compareBytes(a, b as ArrayBufferView, path);
    else if (a instanceof Map) this.#compareMaps(a, b as Map<unknown, unknown>, path);
    else if (a instanceof Set) this.#compareLists([...a].sort(), [...(b as Set<unknown>)].sort(), path);
    else if (Array.isArray(a)) this.#compareLists(a, b as unknown[], path);
    else if (a.constructor?.name === 'PfnDeque')
      this.#compareLists(
        (a as { toArray(): unknown[] }).toArray(),
        (b as { toArray(): unknown[] }).toArray(),
        path,
      );
    else this.#compareFields(a, b, path);
  }

  #compareBytes(a: ArrayBufferView, b: ArrayBufferView, path: string): void {
    const bytes = (view: ArrayBufferView) => Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    if (!bytes(a).equals(bytes(b))) this.#note(path, 'other contents');
  }

  #compareMaps(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>, path: string): void {
    this.#compareLists([...a.keys()].sort(), [...b.keys()].sort(), `${path}.keys`);
    for (const [key, value] of a) this.#compare(value, b.get(key), `${path}[${String(key)}]`);
  }

  #compareLists(a: readonly unknown[], b: readonly unknown[], path: string): void {
    if (a.length !== b.length) this.#note(path, `${a.length} and ${b.length} entries`);
    else for (const [i, value] of a.entries()) this.#compare(value, b[i], `${path}[${i}]`);
  }

  #compareFields(a: object, b: object, path: string): void {
    const fields = [fieldsOf(a), fieldsOf(b)] as const;
    for (const name of new Set([...fields[0].keys(), ...fields[1].keys()]))
      this.#compare(fields[0].get(name), fields[1].get(name), path === '' ? name : `${path}.${name}`);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

let inspector: Session | undefined;

/** Answers come before the call returns, as the session is of this thread. */
function ask(method: string, parameters: object): object {
  if (inspector === undefined) {
    inspector = new Session();
    inspector.connect();
  }
  let answer: object | undefined;
  inspector.post(method, parameters, (error, result) => {
    if (error !== null) throw new Error(`${method}: ${error.message}`);
    answer = result as object;
  });
  if (answer === undefined) throw new Error(`${method} was not answered at once`);
  return answer;
}

/** All own fields by name; those that are private as `#name`. Accessors are left out: they show what fields hold. */
export function fieldsOf(object: object): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  for (const [name, { get, value }] of Object.entries(Object.getOwnPropertyDescriptors(object)))
    if (get === undefined) fields.set(name, value);
  for (const { name, value } of privateFieldsOf(object))
    if (value !== undefined) fields.set(name, remoteValue(value));
  return fields;
}

function privateFieldsOf(
  object: object,
): readonly { readonly name: string; readonly value?: RemoteObject }[] {
  const store = globalThis as Handover;
  store.handed = object;
  const { result } = ask('Runtime.evaluate', { expression: 'globalThis.handed' }) as { result: RemoteObject };
  const found = ask('Runtime.getProperties', { objectId: result.objectId, ownProperties: true });
  ask('Runtime.releaseObject', { objectId: result.objectId });
  return (found as { privateProperties?: { name: string; value?: RemoteObject }[] }).privateProperties ?? [];
}

/** The value itself of what the inspector only describes. */
function remoteValue({ type, value, unserializableValue, objectId }: RemoteObject): unknown {
  if (unserializableValue !== undefined) return Number(unserializableValue);
  if (objectId === undefined) return type === 'undefined' ? undefined : value;
  const store = globalThis as Handover;
  ask('Runtime.callFunctionOn', {
    objectId,
    functionDeclaration: 'function () { globalThis.handed = this; }',
  });
  ask('Runtime.releaseObject', { objectId });
  return store.handed;
}
