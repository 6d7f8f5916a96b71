/** Why predicted slab caches differ from slabinfo, as found in the traces: by recording, then by cache. Figures stand in the table. */
const BULK =
  'trace silent: they are freed in bulk, which has no event; the model keeps an object until its pointer is handed out again';
const HIDDEN =
  'start unknown: slabinfo calls free slots of CPU slabs and chains active, and the kernel had more of them than the model assumes';
const LAYOUT =
  'start unknown: how the free slots of its slabs are spread is not told, so which of them fill up or empty is chance';
const EMPTIED =
  'start unknown: the kernel emptied slabs of the start; which objects its frees of them mean is chosen, and neither the even choice nor one of neighbours gives these slabs';

export const SLAB_DEVIATIONS = {
  'slab-churn': {
    maple_node: BULK,
    radix_tree_node: LAYOUT,
    task_struct:
      'start unknown: the model assumes more free slots on chains than there were; the kernel needed one slab',
    'kmalloc-192': `${LAYOUT}; most are vectors of charges, which come and go with slabs of \`dentry\``,
    extent_status: LAYOUT,
    dentry: EMPTIED,
    filp: 'start unknown: the model assumes more free slots on chains than there were; the kernel needed two slabs',
    lsm_inode_cache: EMPTIED,
    'kmalloc-128': `${LAYOUT}; most are vectors of charges of \`ext4_inode_cache\``,
    'kmalloc-64': LAYOUT,
  },
  'net-loopback': {
    maple_node: BULK,
    'kmalloc-2k': LAYOUT,
    sock_inode_cache: `${LAYOUT}; RCU frees arrive in bursts, and whose chain is full by then decides`,
    eventpoll_epi: `${BULK} (kvfree_rcu)`,
    buffer_head:
      'model: objects of the start are freed evenly over all slabs; with a choice of neighbours it gives back 74 slabs too many, so the truth lies between',
    'bio-184':
      'start unknown: the trace frees all that it allocates, so the slabs that left were empty ones on chains, all of whose slots slabinfo had called active',
    dentry: EMPTIED,
    proc_inode_cache: 'open: the trace shows no page for the slab that slabinfo counts more',
    skbuff_small_head: HIDDEN,
    iommu_iova_magazine: HIDDEN,
  },
};
