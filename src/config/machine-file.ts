/**
 * Machine files, YAML or JSON: a size (`memory`, `nodes`, `cpus`), or every zone in full.
 */
import { buildProblem, DEFAULT_BUILD } from '../mm/machine-build.js';
import type { MachineSpec, ZoneSpec } from '../mm/machine-spec.js';
import { ZONE_NAMES, type ZoneIndex } from '../mm/types.js';
import { type ConfigDocument, isFile, isPlainObject, quoteValue, readConfig } from './config-file.js';
import { DEFAULT_CPU_CACHE_BYTES, machineFromSize } from './machine-by-size.js';
import type { BuildKeys } from './machine-schema.js';
import { didYouMean } from './nearest-name.js';
import { parseSize, parseSizePages } from './size.js';
import { UsageError } from './usage-error.js';
import { zoneProblem } from './zone-problem.js';

function valueAt(value: unknown, keys: readonly PropertyKey[]): unknown {
  let current = value;
  for (const key of keys) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = (current as Record<PropertyKey, unknown>)[key];
  }
  return current;
}

function zonesMachine(
  document: ConfigDocument,
  file: {
    cpu_nodes: number[];
    node_distances?: number[][] | undefined;
    zones: {
      node: number;
      zone: string;
      start_pfn: number;
      spanned_pages: number;
      present_pages?: number | undefined;
      managed_pages?: number | undefined;
    }[];
    cpu_cache_bytes?: number | undefined;
    thp?: boolean | undefined;
  },
): MachineSpec {
  const nodes =
    file.node_distances?.length ?? 1 + Math.max(...file.cpu_nodes, ...file.zones.map((zone) => zone.node));
  const distances =
    file.node_distances ??
    Array.from({ length: nodes }, (_, from) =>
      Array.from({ length: nodes }, (_, to) => (from === to ? 10 : 20)),
    );
  for (const [from, row] of distances.entries()) {
    if (row.length === nodes && row[from] === 10) continue;
    throw document.error(
      ['node_distances', from],
      `node_distances[${from}]: expected ${nodes} numbers, 10 in column ${from}`,
    );
  }
  const strayCpu = file.cpu_nodes.findIndex((node) => node >= nodes);
  if (strayCpu >= 0) {
    throw document.error(
      ['cpu_nodes', strayCpu],
      `cpu_nodes[${strayCpu}]: there is no node ${file.cpu_nodes[strayCpu]}`,
    );
  }
  const zones = file.zones.map((zone): ZoneSpec => {
    const present = zone.present_pages ?? zone.spanned_pages;
    return {
      node: zone.node,
      index: ZONE_NAMES.indexOf(zone.zone) as ZoneIndex,
      start_pfn: zone.start_pfn,
      spanned_pages: zone.spanned_pages,
      present_pages: present,
      managed_pages: zone.managed_pages ?? present,
    };
  });
  const fail = (index: number, text: string) => document.error(['zones', index], `zones[${index}]: ${text}`);
  const stray = zones.findIndex((zone) => zone.node >= nodes);
  if (stray >= 0) throw fail(stray, `node ${zones[stray]!.node} has no row in node_distances`);
  const problem = zoneProblem(zones);
  if (problem !== undefined) throw fail(problem.index, problem.text);
  return {
    cpu_nodes: file.cpu_nodes,
    node_distances: distances,
    zones,
    cpu_cache_bytes: file.cpu_cache_bytes ?? DEFAULT_CPU_CACHE_BYTES,
    thp: file.thp ?? true,
  };
}

function builtAs(document: ConfigDocument, keys: BuildKeys | undefined, spec: MachineSpec): MachineSpec {
  if (keys === undefined) return spec;
  const given = Object.entries(keys).filter(([, value]) => value !== undefined);
  const build = { ...DEFAULT_BUILD, ...Object.fromEntries(given) };
  const problem = buildProblem(build, spec.cpu_nodes.length);
  if (problem !== undefined)
    throw document.error(
      ['build', problem.key],
      `build.${problem.key} ${quoteValue(build[problem.key])}: ${problem.text}`,
    );
  return { ...spec, build };
}

/** Checks a parsed machine file and builds the machine. Throws a one-line InputError for the first fault. */
export async function checkMachineFile(document: ConfigDocument): Promise<MachineSpec> {
  const { BUILD_KEYS, MACHINE_FILE_KEYS, machineSizeSchema, machineZonesSchema } = await import(
    './machine-schema.js'
  );
  const { value } = document;
  if (!isPlainObject(value) || !('memory' in value || 'zones' in value)) {
    throw document.error(
      [],
      `is not a machine: expected memory (with nodes, cpus), or zones and cpu_nodes in full`,
    );
  }
  const bySize = 'memory' in value;
  const checked = (bySize ? machineSizeSchema : machineZonesSchema).safeParse(value);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    if (issue!.code === 'unrecognized_keys') {
      const key = issue!.keys[0]!;
      const keys = [...(issue!.path as string[]), key];
      const isBuild = issue!.path.length === 1 && issue!.path[0] === 'build';
      const top = issue!.path.length === 0 ? MACHINE_FILE_KEYS.filter((name) => name !== key) : [];
      const known = isBuild ? BUILD_KEYS : top;
      const remedy =
        issue!.path.length === 0 && MACHINE_FILE_KEYS.includes(key)
          ? ': a machine is given by memory or by zones, not both'
          : didYouMean(key, known);
      throw document.error(keys, `unknown key ${quoteValue(key)}${remedy}`);
    }
    const keys = issue!.path as (string | number)[];
    const given = valueAt(value, keys);
    const shown = given === undefined ? 'is missing' : `${quoteValue(given)}: ${issue!.message}`;
    throw document.error(keys, `${keys.join('.')} ${shown}`);
  }

  if (!('memory' in checked.data))
    return builtAs(document, checked.data.build, zonesMachine(document, checked.data));
  const { memory, nodes, cpus, cpu_cache, thp } = checked.data;
  const cacheBytes = cpu_cache === undefined ? undefined : parseSize(cpu_cache);
  if (cpu_cache !== undefined && cacheBytes === undefined) {
    throw document.error(['cpu_cache'], `cpu_cache ${quoteValue(cpu_cache)}: expected 2MiB or the like`);
  }
  try {
    const memory_pages = parseSizePages(memory, 'memory');
    const spec = machineFromSize({ memory_pages, nodes, cpus, cpu_cache_bytes: cacheBytes, thp });
    return builtAs(document, checked.data.build, spec);
  } catch (error) {
    // The same rules as for the command line, but here they are broken in a file.
    if (error instanceof UsageError) throw document.error(['memory'], `${error.message}`);
    throw error;
  }
}

/**
 * Reads a machine file.
 *
 * @throws UsageError       if there is no such file
 * @throws InputError  if its contents are wrong
 */
export async function readMachineFile(path: string): Promise<MachineSpec> {
  if (!(await isFile(path))) throw new UsageError(`no such machine file: ${path}`);
  return checkMachineFile(await readConfig(path));
}
