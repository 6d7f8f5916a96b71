/**
 * Well-known slab caches by name: what their events do not tell. Flags, constructors and copied parts are facts of the
 * sources; sizes are those of a distribution's 6.18, and are used only where nothing better is known.
 * model: slab-caches 2
 */
import type { CacheSpec } from '../mm/slab/geometry.js';
import {
  SLAB_ACCOUNT,
  SLAB_HWCACHE_ALIGN,
  SLAB_NO_MERGE,
  SLAB_RECLAIM_ACCOUNT,
  SLAB_TYPESAFE_BY_RCU,
} from '../mm/slab/slab-flags.js';

const A = SLAB_ACCOUNT;
const H = SLAB_HWCACHE_ALIGN;
const R = SLAB_RECLAIM_ACCOUNT;
const T = SLAB_TYPESAFE_BY_RCU;

interface More {
  readonly align?: number;
  readonly ctor?: true;
  /** bytes that may go to user space; where it is not told how many, all of the object */
  readonly user?: number;
  /** place of the free pointer in a cache that names one */
  readonly freeptr?: number;
  readonly sheaf?: number;
}
type Row = readonly [name: string, object_size_bytes: number, flags?: number, more?: More];

const ctor = { ctor: true } as const;

const ROWS: readonly Row[] = [
  // tasks and their address spaces
  ['task_struct', 8712, A, { align: 64, user: 4096 }],
  ['signal_cache', 1152, H | A],
  ['sighand_cache', 2080, H | T | A, ctor],
  ['files_cache', 704, H | A],
  ['fs_cache', 64, H | A],
  ['mm_struct', 1496, H | A, { user: 448 }],
  ['vm_area_struct', 192, H | T | A, { freeptr: 0, sheaf: 32 }],
  ['anon_vma', 96, T | A, ctor],
  ['anon_vma_chain', 64, A],
  ['maple_node', 256, 0, { align: 256, sheaf: 32 }],
  ['cred', 184, H | A],
  ['cred_jar', 184, H | A],
  ['pid', 184, H | A],
  ['pid_namespace', 344, A],
  ['nsproxy', 72, A],
  ['user_namespace', 672, A],
  ['uts_namespace', 488, A, { user: 390 }],
  ['net_namespace', 4864, A, { align: 64 }],
  ['uid_cache', 128, H],
  ['key_jar', 256, H],
  ['sigqueue', 80, A],
  ['posix_timers_cache', 384, A, { align: 64 }],
  ['task_delay_info', 256, A],
  ['taskstats', 560],
  ['task_group', 640, 0, { align: 64 }],
  ['pool_workqueue', 512, 0, { align: 256 }],
  ['perf_event', 1344],
  ['vmap_area', 72],
  ['mem_cgroup', 1608, H],
  ['mem_cgroup_per_node', 1920, H],
  ['mm_slot', 40],
  ['ksm_rmap_item', 64, 0, { align: 64 }],
  ['ksm_stable_node', 64],
  ['ksm_mm_slot', 48],
  ['numa_policy', 272],
  ['shared_policy_node', 48],
  ['userfaultfd_ctx_cache', 176, H, ctor],
  ['audit_buffer', 72],
  ['audit_tree_mark', 80],
  ['ftrace_event_field', 56],
  ['trace_event_file', 96],
  ['damon_region', 56],
  // files and directories
  ['dentry', 192, R | A, { user: 40 }],
  ['inode_cache', 608, R | A, ctor],
  ['names_cache', 4096, H, { user: 4096 }],
  ['filp', 184, H | T | A, { freeptr: 0 }],
  ['bfilp', 200, H | T | A, { freeptr: 0 }],
  ['mnt_cache', 384, H | A],
  ['seq_file', 120, A],
  ['file_lock_cache', 192],
  ['file_lock_ctx', 56],
  ['file_lease_cache', 160],
  ['fasync_cache', 48, A],
  ['lsm_file_cache', 40],
  ['lsm_inode_cache', 88],
  ['eventpoll_epi', 128, H | A],
  ['eventpoll_pwq', 64, A],
  ['ep_head', 16, A],
  ['dnotify_struct', 32, A],
  ['dnotify_mark', 80, A],
  ['inotify_inode_mark', 80, A],
  ['fanotify_mark', 80, A],
  ['fanotify_fid_event', 72],
  ['fanotify_path_event', 64],
  ['fanotify_perm_event', 112],
  ['fanotify_mnt_event', 56],
  ['fsnotify_mark_connector', 24],
  ['kioctx', 576, H],
  ['aio_kiocb', 192, H],
  ['io_kiocb', 248, H | T | A, { freeptr: 0, user: 64 }],
  ['dquot', 208, H | R],
  ['backing_aio', 128, H],
  ['fscrypt_inode_info', 120, R],
  ['fsverity_info', 264, R, { user: 64 }],
  ['ima_iint_cache', 96, 0, ctor],
  ['iint_cache', 120, 0, ctor],
  ['pidfs_attr_cache', 32, H | R | A],
  ['pidfs_xattr_cache', 16, H | R | A],
  ['pde_opener', 40, A],
  ['proc_dir_entry', 192, 0, { user: 64 }],
  ['kernfs_node_cache', 136],
  ['kernfs_iattrs_cache', 80],
  // inodes of file systems
  ['bdev_cache', 1568, H | R | A, ctor],
  ['btrfs_inode', 1008, R | A, ctor],
  ['dax_cache', 752, H | R | A, ctor],
  ['debugfs_inode_cache', 624, R | A, ctor],
  ['erofs_inode', 688, R, ctor],
  ['ext4_inode_cache', 1120, R | A, { ctor: true, user: 60 }],
  ['fuse_inode', 848, H | R | A, ctor],
  ['hugetlbfs_inode_cache', 616, A, ctor],
  ['mqueue_inode_cache', 928, H | A, ctor],
  ['ovl_inode', 696, R | A, ctor],
  ['proc_inode_cache', 680, R | A, ctor],
  ['shmem_inode_cache', 736, A, ctor],
  ['sock_inode_cache', 768, H | R | A, ctor],
  ['squashfs_inode_cache', 696, H | R | A, ctor],
  ['tracefs_inode_cache', 640, R | A, ctor],
  ['xfs_inode', 1016, H | R | A, ctor],
  // page cache, block layer, journals
  ['radix_tree_node', 576, R, ctor],
  ['buffer_head', 104, R],
  ['bio_post_read_ctx', 48, R],
  ['bio_integrity_data', 128, H],
  ['biovec-16', 256, H],
  ['biovec-64', 1024, H],
  ['biovec-128', 2048, H],
  ['biovec-max', 4096, H],
  ['blkdev_ioc', 88],
  ['bfq_io_cq', 1232, 0, { align: 8 }],
  ['dio', 640, 0, { align: 64 }],
  ['request_queue', 984],
  ['sgpool-8', 256, H],
  ['sgpool-16', 512, H],
  ['sgpool-32', 1024, H],
  ['sgpool-64', 2048, H],
  ['sgpool-128', 4096, H],
  ['ext4_allocation_context', 168, R],
  ['ext4_fc_dentry_update', 104, R],
  ['ext4_free_data', 56, R],
  ['ext4_groupinfo_4k', 152, R],
  ['ext4_io_end', 64, R],
  ['ext4_io_end_vec', 32],
  ['ext4_prealloc_space', 112, R],
  ['ext4_system_zone', 40],
  ['extent_status', 40, R],
  ['pending_reservation', 32, R],
  ['mb_cache_entry', 56, R],
  ['jbd2_inode', 64],
  ['jbd2_journal_handle', 56, R],
  ['jbd2_journal_head', 112, R | T],
  ['jbd2_revoke_record_s', 32, H | R],
  ['jbd2_revoke_table_s', 16, R],
  ['jbd2_transaction_s', 192, H | R],
  ['btrfs_delayed_node', 312],
  ['btrfs_extent_buffer', 240],
  ['btrfs_free_space', 104],
  ['btrfs_ordered_extent', 416],
  ['fuse_request', 176],
  ['xfs_buf', 384, H | R],
  ['xfs_ili', 208, R],
  // network
  ['skbuff_head_cache', 232, H, { user: 48 }],
  ['skbuff_fclone_cache', 512, H],
  ['skbuff_small_head', 704, H, { user: 640 }],
  ['skbuff_ext_cache', 192, H],
  ['UNIX', 1152, H | A],
  ['UNIX-STREAM', 1152, H | A],
  ['UDP', 1344, H | A],
  ['UDPv6', 1536, H | A],
  ['PING', 1016, H | A],
  ['PINGv6', 1408, H | A],
  ['RAW', 1152, H | A, { user: 4 }],
  ['RAWv6', 1408, H | A, { user: 4 }],
  ['TCP', 2304, H | T | A],
  ['TCPv6', 2496, H | T | A],
  ['MPTCP', 1936, H | T | A],
  ['MPTCPv6', 2072, H | T | A],
  ['request_sock_TCP', 320, T | A],
  ['request_sock_TCPv6', 320, T | A],
  ['request_sock_subflow_v4', 392, T | A],
  ['request_sock_subflow_v6', 392, T | A],
  ['tw_sock_TCP', 264, T | A],
  ['tw_sock_TCPv6', 264, T | A],
  ['tcp_bind_bucket', 120, H | A],
  ['tcp_bind2_bucket', 120, H | A],
  ['inet_peer', 192, H],
  ['rtable', 192, H],
  ['ip6_dst_cache', 256, H | A],
  ['fib6_node', 120, H | A],
  ['ip_fib_alias', 56, A],
  ['ip_fib_trie', 48, A],
  ['ip4-frags', 200],
  ['ip6-frags', 184],
  ['xfrm_dst', 296, H],
  ['xfrm_state', 816, H],
  ['xsk_generic_xmit_cache', 192],
  ['nf_conntrack', 248, H | T],
  // devices
  ['dmaengine-unmap-2', 64, H],
  ['dmaengine-unmap-16', 192, H],
  ['dmaengine-unmap-128', 1056, H],
  ['dmaengine-unmap-256', 2080, H],
  ['iommu_iova', 64, H],
  ['iommu_iova_magazine', 1024, H],
  ['btree_node', 128, H],
  ['Acpi-Namespace', 48],
  ['Acpi-Operand', 72],
  ['Acpi-Parse', 56],
  ['Acpi-ParseExt', 80],
  ['Acpi-State', 80],
  // the slab allocator itself
  ['kmem_cache', 232, H],
  ['kmem_cache_node', 72, H],
  ['kmalloc_buckets', 112, SLAB_NO_MERGE],
];

/** A Map, so that a name from outside can never reach an inherited property. */
const BY_NAME: ReadonlyMap<string, Row> = new Map(ROWS.map((row) => [row[0], row]));
export const KNOWN_CACHE_NAMES: readonly string[] = ROWS.map(([name]) => name);

/** Families whose names end in the size of their objects. */
const BIO = /^bio-(\d{1,5})$/;
const BUCKET = /^(memdup_user|msg_msg)-(\d{1,3})(k?)$/;
const PCLUSTER = /^erofs_pcluster-\d{1,4}$/;

/** What a well-known cache is created with; undefined for others. */
export function knownCache(name: string): CacheSpec | undefined {
  const row = BY_NAME.get(name);
  return row === undefined ? familyMember(name) : specOf(row);
}

function specOf([name, object_size_bytes, flags = 0, more = {}]: Row): CacheSpec {
  const { align, user, freeptr, sheaf } = more;
  return {
    name,
    object_size_bytes,
    align_bytes: align ?? 0,
    flags,
    hasConstructor: more.ctor ?? false,
    ...(user === undefined ? {} : { usersize_bytes: user }),
    ...(freeptr === undefined ? {} : { freeptr_offset_bytes: freeptr }),
    ...(sheaf === undefined ? {} : { sheaf_capacity: sheaf }),
  };
}

function familyMember(name: string): CacheSpec | undefined {
  const bio = BIO.exec(name);
  if (bio !== null) return specOf([name, Math.max(1, Number(bio[1])), H | T]);
  const bucket = BUCKET.exec(name);
  if (bucket !== null) {
    const bytes = Math.max(1, Number(bucket[2]) * (bucket[3] === 'k' ? 1024 : 1));
    const accounted = bucket[1] === 'msg_msg' ? A : 0;
    return specOf([name, bytes, SLAB_NO_MERGE | accounted, { user: bytes }]);
  }
  // Its size depends on how many pages a cluster has; the flags do not.
  return PCLUSTER.test(name) ? specOf([name, 136, R]) : undefined;
}
