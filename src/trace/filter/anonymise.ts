/**
 * A trace that may be shared: what names a user, a task or an address becomes a number, the same one wherever it stands.
 *
 * | what | becomes | why |
 * |---|---|---|
 * | ids | `o1`, `o2`, …; addresses `0x1`, `0x2`, … | addresses show where the kernel was loaded |
 * | pids | 1, 2, …; 0 stays the idle task | |
 * | cgroup paths | `/g1/g2`, part by part | they name users, containers, services |
 * | caches that mainline kernels do not have | `cache-1`, … | they name drivers and products |
 * | call sites in modules, raw addresses, `file:line` | `site-1`, … | the same |
 * | texts of marks | `mark-1`, …; the recorder's own stay | anything may be written there |
 *
 * What stays: times, CPUs, PFNs, orders, gfp, sizes, names of functions and caches of the kernel itself, so that the
 * replay of the anonymised trace gives the same result. Task names are not part of the event model at all.
 */
import { EventBatch, type EventSource, NONE_U32, Op } from '../event-batch.js';
import { createTraceStrings, type StringTable, type TraceStrings } from '../string-table.js';

/** Caches that every kernel has, or that replays of reclaim know by name. */
const KERNEL_CACHE =
  /^(?:(?:dma-)?kmalloc(?:-(?:rcl|cg|rnd-\d\d))?-[\dkKM]+|dentry|filp|names_cache|\w*inode_cache|inode_cache|radix_tree_node|maple_node|vm_area_struct|anon_vma(?:_chain)?|buffer_head|xfs_buf|ext4_\w+|jbd2_\w+|btrfs_\w+|task_struct|mm_struct|files_cache|fs_cache|sighand_cache|signal_cache|cred(?:_jar)?|pid|skbuff_\w+|sock_inode_cache|TCP(?:v6)?|UDP(?:v6)?|UNIX|kernfs_\w+|proc_\w+|seq_file|lsm_\w+|bio-\d+|biovec-\w+|pool_workqueue|numa_policy|vmap_area|page->ptl|pgd?_cache|pde_opener|shmem_\w+|tmpfs_\w+|khugepaged_\w+|ftrace_event_field|eventpoll_\w+|signalfd_\w+|request_queue\w*|blkdev_\w+|kmem_cache(?:_node)?|mnt_cache|avtab_\w+|nsproxy|delayacct_cache|taskstats|perf_event)$/;
/** A function of the kernel's own text: no module behind it, no path before it. */
const KERNEL_SITE = /^[A-Za-z_][\w.]*(?:\+0x[\da-f]+(?:\/0x[\da-f]+)?)?$/;
/** An id that was recorded, and may come free twice: see FreedIds. */
const ADDRESS = /^0x[\da-f]+$/;
/** Values that could be a path or an address. */
const PRIVATE_VALUE = /\/|0x[\da-f]{9,}|^[\da-f]{16}$/;
/** Marks that the recorder sets. */
const OWN_MARK = /^spbsim: (?:before|workload|after|end)$/;

/** New names by old ones, numbered in the order in which they first come. */
class Pseudonyms {
  readonly #names = new Map<string, string>();

  constructor(readonly prefix: string) {}

  of(name: string): string {
    let pseudonym = this.#names.get(name);
    if (pseudonym === undefined) {
      pseudonym = `${this.prefix}${this.#names.size + 1}`;
      this.#names.set(name, pseudonym);
    }
    return pseudonym;
  }
}

/** Numbers of one table under new names: each distinct string is renamed once. */
class Renaming {
  #numbers = new Uint32Array(1 << 10);

  constructor(
    readonly from: StringTable,
    readonly to: StringTable,
    readonly rename: (text: string) => string,
  ) {}

  of(number: number): number {
    if (number === 0) return 0;
    if (number >= this.#numbers.length) {
      const grown = new Uint32Array(Math.max(number + 1, this.#numbers.length * 2));
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    let renamed = this.#numbers[number] as number;
    if (renamed === 0) {
      renamed = this.to.intern(this.rename(this.from.get(number)));
      this.#numbers[number] = renamed;
    }
    return renamed;
  }
}

function renamedPath(path: string, parts: Pseudonyms): string {
  return path
    .split('/')
    .map((part) => (part === '' ? '' : parts.of(part)))
    .join('/');
}

/** `key=value` pairs with private values replaced. */
function renamedArguments(text: string, values: Pseudonyms): string {
  return text
    .split(';')
    .map((pair) => {
      const equals = pair.indexOf('=');
      const value = pair.slice(equals + 1);
      return PRIVATE_VALUE.test(value) ? `${pair.slice(0, equals + 1)}${values.of(value)}` : pair;
    })
    .join(';');
}

export class Anonymised implements EventSource {
  readonly strings: TraceStrings = createTraceStrings();

  constructor(readonly source: EventSource) {}

  async *batches(): AsyncGenerator<EventBatch> {
    const from = this.source.strings;
    const to = this.strings;
    const caches = new Pseudonyms('cache-');
    const sites = new Pseudonyms('site-');
    const groups = new Pseudonyms('g');
    const marks = new Pseudonyms('mark-');
    const values = new Pseudonyms('v');
    let ids = 0;
    const id = new Renaming(from.ids, to.ids, (text) =>
      ADDRESS.test(text) ? `0x${(++ids).toString(16)}` : `o${++ids}`,
    );
    const cache = new Renaming(from.caches, to.caches, (name) =>
      KERNEL_CACHE.test(name) ? name : caches.of(name),
    );
    const memcg = new Renaming(from.memcgs, to.memcgs, (path) => renamedPath(path, groups));
    const site = new Renaming(from.sites, to.sites, (text) =>
      KERNEL_SITE.test(text) ? text : sites.of(text),
    );
    const arg = new Renaming(from.args, to.args, (text) => renamedArguments(text, values));
    const mark = new Renaming(from.args, to.args, (text) => (OWN_MARK.test(text) ? text : marks.of(text)));
    const pids = new Map<number, number>([
      [0, 0],
      [NONE_U32, NONE_U32],
    ]);
    for await (const batch of this.source.batches()) {
      for (let i = 0; i < batch.length; i++) {
        if (batch.id[i] !== NONE_U32) batch.id[i] = id.of(batch.id[i] as number);
        batch.cache[i] = cache.of(batch.cache[i] as number);
        batch.memcg[i] = memcg.of(batch.memcg[i] as number);
        batch.site[i] = site.of(batch.site[i] as number);
        batch.arg[i] = (batch.op[i] === Op.mark ? mark : arg).of(batch.arg[i] as number);
        const pid = batch.pid[i] as number;
        let known = pids.get(pid);
        if (known === undefined) {
          known = pids.size - 1;
          pids.set(pid, known);
        }
        batch.pid[i] = known;
      }
      const renamed = new EventBatch(to, batch.capacity, batch.buffer);
      renamed.length = batch.length;
      yield renamed;
    }
  }
}
