/**
 * The zod schema of machine files: either a size, or every zone in full.
 */
import { z } from 'zod';
import { ZONE_NAMES } from '../mm/types.js';

const pages = z.int().min(0).max(0xffff_ffff);

/** How the kernel was built and booted, where it is not an ordinary one. model: slub 3.6 */
const buildSchema = z.strictObject({
  preempt_rt: z.boolean().optional().describe('CONFIG_PREEMPT_RT'),
  smp: z.boolean().optional().describe('CONFIG_SMP; false: a kernel for one processor'),
  slub_tiny: z.boolean().optional().describe('CONFIG_SLUB_TINY'),
  cmpxchg_double: z.boolean().optional().describe('the processor exchanges two words at once'),
  slab_debug: z
    .string('expected options and names as on the boot line, such as FZ,kmalloc-64')
    .max(4096)
    .optional()
    .describe('slab_debug= of the boot line: FZPU, or FZ,kmalloc-64,dentry*'),
  slab_merge: z.boolean().optional().describe('false: slab_nomerge of the boot line'),
});

export type BuildKeys = z.infer<typeof buildSchema>;

/** `memory: 256GiB`, `nodes: 2`, `cpus: 64`: laid out as `--memory` would be. */
export const machineSizeSchema = z.strictObject({
  memory: z.string('expected a size with its unit, such as 4GiB').describe('all RAM, with its unit: 256GiB'),
  nodes: z.int().min(1).max(1024).optional(),
  cpus: z.int().min(1).max(8192).optional(),
  cpu_cache: z
    .string()
    .optional()
    .describe('data cache of one CPU, its slice of shared levels included: 2MiB'),
  thp: z.boolean().optional().describe('transparent huge pages are compiled in and enabled'),
  build: buildSchema.optional(),
});

export const zoneFileSchema = z.strictObject({
  node: z.int().min(0).max(1023),
  zone: z.enum(ZONE_NAMES as readonly [string, ...string[]]),
  start_pfn: pages.min(1, 'PFN 0 is never handed to the allocator; start at 1'),
  spanned_pages: pages.min(1).describe('end - start, holes included'),
  present_pages: pages.optional().describe('default: spanned_pages'),
  managed_pages: pages.optional().describe('pages handed to the allocator; default: present_pages'),
});

/** Zones in full, under the names that `/proc/zoneinfo` has for them. */
export const machineZonesSchema = z.strictObject({
  cpu_nodes: z.array(z.int().min(0).max(1023)).min(1).max(8192).describe('index = CPU, value = its node'),
  node_distances: z
    .array(z.array(z.int().min(10).max(255)))
    .min(1)
    .max(1024)
    .optional()
    .describe('distance[from][to], 10 = local; default 10 and 20'),
  zones: z.array(zoneFileSchema).min(1).max(4096),
  cpu_cache_bytes: z.int().min(0).optional(),
  thp: z.boolean().optional(),
  build: buildSchema.optional(),
});

export const MACHINE_FILE_KEYS: readonly string[] = [
  ...Object.keys(machineSizeSchema.shape),
  ...Object.keys(machineZonesSchema.shape),
];

export const BUILD_KEYS: readonly string[] = Object.keys(buildSchema.shape);
