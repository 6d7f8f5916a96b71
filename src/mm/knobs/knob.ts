/** What a knob is: a value with a unit, a default, a range and the section of the model's documentation it comes from. */

export type KnobValue = number | boolean | string | readonly number[];

interface KnobCommon {
  /** unit of a number, empty for others */
  readonly unit: string;
  /** section in docs/model/ */
  readonly spec: string;
  readonly doc: string;
}
export type KnobSpec = KnobCommon &
  (
    | { readonly type: 'number'; readonly default: number; readonly min: number; readonly max: number }
    | { readonly type: 'boolean'; readonly default: boolean }
    | { readonly type: 'enum'; readonly default: string; readonly values: readonly string[] }
    | { readonly type: 'numbers'; readonly default: readonly number[]; readonly length: number }
  );

export function number(def: number, min: number, max: number, unit: string, spec: string, doc: string) {
  return { type: 'number', default: def as number, min, max, unit, spec, doc } as const;
}
export function boolean(def: boolean, spec: string, doc: string) {
  return { type: 'boolean', default: def as boolean, unit: '', spec, doc } as const;
}
export function choice<const V extends readonly string[]>(
  def: V[number],
  values: V,
  spec: string,
  doc: string,
) {
  return { type: 'enum', default: def, values, unit: '', spec, doc } as const;
}
export function numbers<const L extends number>(
  def: readonly number[],
  length: L,
  unit: string,
  spec: string,
  doc: string,
) {
  return { type: 'numbers', default: def as readonly number[], length, unit, spec, doc } as const;
}
