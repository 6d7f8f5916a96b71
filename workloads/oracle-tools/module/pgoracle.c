// SPDX-License-Identifier: GPL-2.0-only
/*
 * pgoracle - page allocator ground-truth recorder.
 *
 * Control file: /proc/pgoracle
 *   write "reset"                 forget everything captured so far
 *   write "drain"                 drain LRU batches and per-cpu page lists
 *   write "snap NAME"             append a full allocator state dump
 *   write "snap_on NAME"          dump, then tracing_on(), atomically
 *   write "off_snap NAME"         tracing_off(), then dump, atomically
 *   write "run MIX SEED NOPS TRACE"  scripted alloc/free sequence, irqs off
 *   write "free"                  free whatever the last run left allocated
 *   write "nmi COUNT SIZE [CPU GAP_US]"  COUNT NMIs sent to CPU (default:
 *                                 to itself) whose handler uses the *_nolock
 *                                 allocators (kernels that have them)
 *   read                          the captured text (JSON lines)
 *
 * A dump walks free_area[order].free_list[migratetype] of every populated
 * zone head to tail, every pageblock's migratetype and every per-cpu page
 * list head to tail.  On a one-CPU machine disabling interrupts is enough to
 * freeze the allocator; with more CPUs stop_machine() is used for the dump.
 *
 * Written from scratch for the oracle; only loads into throw-away guests.
 */
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/version.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/gfp.h>
#include <linux/kprobes.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>
#include <linux/pageblock-flags.h>
#include <linux/utsname.h>
#include <linux/migrate.h>
#include <linux/delay.h>
#include <asm/apic.h>
#include <asm/nmi.h>

#ifndef NR_PAGE_ORDERS			/* 6.1 spelling */
#define NR_PAGE_ORDERS MAX_ORDER
#endif
#define HAVE_NOLOCK (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0))
#ifdef CONFIG_MEMORY_ISOLATION
#define NR_ISOLATE(z) ((z)->nr_isolate_pageblock)
#else
#define NR_ISOLATE(z) 0UL
#endif
#define NEW_PCP (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0))

static unsigned int bufmb = 24;
module_param(bufmb, uint, 0444);
static unsigned int maxlive = 1 << 18;
module_param(maxlive, uint, 0444);

static DEFINE_MUTEX(lock);
static char *buf;
static size_t len, cap;
static bool overflow;

/* ---- symbols that are not exported ------------------------------------ */
static unsigned long (*p_lookup)(const char *);
static void (*p_drain_all_pages)(struct zone *);
static void (*p_lru_add_drain_all)(void);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
static enum migratetype (*p_get_mt)(const struct page *, unsigned long);
#else
static unsigned long (*p_get_mask)(const struct page *, unsigned long,
				   unsigned long);
#endif

static int find_symbols(void)
{
	struct kprobe kp = { .symbol_name = "kallsyms_lookup_name" };
	int rc = register_kprobe(&kp);

	if (rc < 0)
		return rc;
	p_lookup = (void *)kp.addr;
	unregister_kprobe(&kp);
	p_drain_all_pages = (void *)p_lookup("drain_all_pages");
	p_lru_add_drain_all = (void *)p_lookup("lru_add_drain_all");
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
	p_get_mt = (void *)p_lookup("get_pfnblock_migratetype");
	if (!p_get_mt)
		return -ENOENT;
#else
	p_get_mask = (void *)p_lookup("get_pfnblock_flags_mask");
	if (!p_get_mask)
		return -ENOENT;
#endif
	return 0;
}

static int block_mt(struct page *page, unsigned long pfn)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
	return p_get_mt(page, pfn);
#else
	return p_get_mask(page, pfn, MIGRATETYPE_MASK);
#endif
}

/* ---- text output -------------------------------------------------------- */
static __printf(1, 2) void emit(const char *fmt, ...)
{
	va_list ap;
	int n;

	if (cap - len < 512) {
		overflow = true;
		return;
	}
	va_start(ap, fmt);
	n = vscnprintf(buf + len, cap - len, fmt, ap);
	va_end(ap);
	len += n;
}

static void ech(char c)
{
	if (cap - len < 512)
		overflow = true;
	else
		buf[len++] = c;
}

static void enu(unsigned long v)
{
	char t[24];
	int n = 0;

	do {
		t[n++] = '0' + v % 10;
		v /= 10;
	} while (v);
	while (n)
		ech(t[--n]);
}

static void elist(struct list_head *head, bool pcp)
{
	struct page *page;
	unsigned long n = 0;

	ech('[');
	if (pcp) {
		list_for_each_entry(page, head, pcp_list) {
			if (n++)
				ech(',');
			enu(page_to_pfn(page));
		}
	} else {
		list_for_each_entry(page, head, buddy_list) {
			if (n++)
				ech(',');
			enu(page_to_pfn(page));
		}
	}
	ech(']');
}

/*
 * What move_freepages() counts as "movable, in use" when a fallback decides
 * whether to claim a whole pageblock: LRU pages and movable_ops pages.
 */
static bool counts_as_movable(struct page *page)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 17, 0)
	return PageLRU(page) || page_has_movable_ops(page);
#else
	return PageLRU(page) || __PageMovable(page);
#endif
}

static void dump_block_movable(struct zone *z, int zi)
{
	unsigned long pfn, end = z->zone_start_pfn + z->spanned_pages;
	unsigned long first = z->zone_start_pfn & ~(pageblock_nr_pages - 1);
	bool any = false;

	emit("{\"t\":\"blockmovable\",\"zone\":%d,\"counts\":[", zi);
	for (pfn = first; pfn < end; pfn += pageblock_nr_pages) {
		unsigned long p = max(pfn, z->zone_start_pfn), n = 0;
		unsigned long stop = min(pfn + pageblock_nr_pages, end);
		struct page *page = pfn_to_online_page(p);

		if (!page || page_zone(page) != z)
			continue;
		while (p < stop) {
			page = pfn_to_page(p);
			if (PageBuddy(page)) {
				p += 1UL << page_private(page);
				continue;
			}
			n += counts_as_movable(page);
			p++;
		}
		if (n) {
			emit("%s[%lu,%lu]", any ? "," : "",
			     (pfn - first) / pageblock_nr_pages, n);
			any = true;
		}
	}
	emit("]}\n");
}

/* ---- state dump ---------------------------------------------------------- */
static void dump_zone(struct zone *z, int zi)
{
	unsigned long pfn, end = z->zone_start_pfn + z->spanned_pages;
	int o, mt, cpu, i;

	emit("{\"t\":\"zone\",\"zone\":%d,\"name\":\"%s\",\"node\":%d,\"start\":%lu,\"spanned\":%lu,\"present\":%lu,\"managed\":%lu",
	     zi, z->name, zone_to_nid(z), z->zone_start_pfn, z->spanned_pages,
	     z->present_pages, zone_managed_pages(z));
	emit(",\"wmark\":[%lu,%lu,%lu,%lu],\"boost\":%lu,\"highatomic_reserved\":%lu",
	     z->_watermark[WMARK_MIN], z->_watermark[WMARK_LOW],
	     z->_watermark[WMARK_HIGH], z->_watermark[WMARK_PROMO],
	     z->watermark_boost, z->nr_reserved_highatomic);
#if NEW_PCP
	emit(",\"highatomic_free\":%lu", z->nr_free_highatomic);
#endif
#if HAVE_NOLOCK
	emit(",\"trylock_free_pending\":%d", !llist_empty(&z->trylock_free_pages));
#endif
	emit(",\"lowmem_reserve\":[");
	for (i = 0; i < MAX_NR_ZONES; i++)
		emit("%s%ld", i ? "," : "", z->lowmem_reserve[i]);
	emit("],\"nr_free_pages\":%ld,\"drift_mark\":%lu,\"flags\":%lu,\"nr_isolate\":%lu,\"contiguous\":%d,\"pageset_batch\":%d",
	     atomic_long_read(&z->vm_stat[NR_FREE_PAGES]), z->percpu_drift_mark,
	     z->flags, NR_ISOLATE(z), z->contiguous, z->pageset_batch);
#if NEW_PCP
	emit(",\"pageset_high_min\":%d,\"pageset_high_max\":%d",
	     z->pageset_high_min, z->pageset_high_max);
#else
	emit(",\"pageset_high\":%d", z->pageset_high);
#endif
	emit(",\"compact_deferred\":[%u,%u,%d],\"nr_free\":[", z->compact_considered,
	     z->compact_defer_shift, z->compact_order_failed);
	for (o = 0; o < NR_PAGE_ORDERS; o++)
		emit("%s%lu", o ? "," : "", z->free_area[o].nr_free);
	emit("]}\n");

	for (o = 0; o < NR_PAGE_ORDERS; o++)
		for (mt = 0; mt < MIGRATE_TYPES; mt++) {
			struct list_head *h = &z->free_area[o].free_list[mt];

			if (list_empty(h))
				continue;
			emit("{\"t\":\"free\",\"zone\":%d,\"order\":%d,\"mt\":%d,\"pfns\":", zi, o, mt);
			elist(h, false);
			emit("}\n");
		}

	pfn = z->zone_start_pfn & ~(pageblock_nr_pages - 1);
	emit("{\"t\":\"pageblocks\",\"zone\":%d,\"first_pfn\":%lu,\"pageblock_order\":%d,\"mts\":\"",
	     zi, pfn, (int)pageblock_order);
	for (; pfn < end; pfn += pageblock_nr_pages) {
		unsigned long probe = max(pfn, z->zone_start_pfn);
		struct page *page = pfn_to_online_page(probe);

		if (!page || page_zone(page) != z)
			ech('.');
		else
			ech('0' + block_mt(page, probe));
	}
	emit("\"}\n");
	dump_block_movable(z, zi);

	for_each_online_cpu(cpu) {
		struct per_cpu_pages *p = per_cpu_ptr(z->per_cpu_pageset, cpu);
		struct per_cpu_zonestat *s = per_cpu_ptr(z->per_cpu_zonestats, cpu);

		emit("{\"t\":\"pcp\",\"zone\":%d,\"cpu\":%d,\"count\":%d,\"high\":%d,\"batch\":%d,\"expire\":%d",
		     zi, cpu, p->count, p->high, p->batch, p->expire);
#if NEW_PCP
		emit(",\"high_min\":%d,\"high_max\":%d,\"flags\":%u,\"alloc_factor\":%u,\"free_count\":%d",
		     p->high_min, p->high_max, p->flags, p->alloc_factor, p->free_count);
#else
		emit(",\"free_factor\":%d", p->free_factor);
#endif
		emit(",\"nr_free_diff\":%d,\"stat_threshold\":%d}\n",
		     s->vm_stat_diff[NR_FREE_PAGES], s->stat_threshold);
		for (i = 0; i < NR_PCP_LISTS; i++) {
			int order, t;

			if (list_empty(&p->lists[i]))
				continue;
			if (i < NR_LOWORDER_PCP_LISTS) {
				order = i / MIGRATE_PCPTYPES;
				t = i % MIGRATE_PCPTYPES;
			} else {	/* THP list(s) */
				order = pageblock_order;
				t = i - NR_LOWORDER_PCP_LISTS;
			}
			emit("{\"t\":\"pcplist\",\"zone\":%d,\"cpu\":%d,\"pindex\":%d,\"order\":%d,\"mt\":%d,\"pfns\":",
			     zi, cpu, i, order, t);
			elist(&p->lists[i], true);
			emit("}\n");
		}
	}
}

/*
 * Zones are numbered node * MAX_NR_ZONES + index, so with one node the number
 * is the plain zone index.
 */
static struct zone *zone_nr(int k)
{
	int nid = k / MAX_NR_ZONES;
	struct zone *z;

	if (!node_online(nid))
		return NULL;
	z = &NODE_DATA(nid)->node_zones[k % MAX_NR_ZONES];
	return populated_zone(z) ? z : NULL;
}
#define NZONES (min(nr_node_ids, 8u) * MAX_NR_ZONES)

static void dump_zonelists(void)
{
	int nid, t, n;

	for_each_online_node(nid) {
		for (t = 0; t < MAX_ZONELISTS; t++) {
			struct zoneref *zr = NODE_DATA(nid)->node_zonelists[t]._zonerefs;

			emit("{\"t\":\"zonelist\",\"node\":%d,\"kind\":\"%s\",\"zones\":[",
			     nid, t ? "nofallback" : "fallback");
			for (n = 0; zr->zone; zr++, n++)
				emit("%s%d", n ? "," : "", zone_to_nid(zr->zone) *
				     MAX_NR_ZONES + (int)zone_idx(zr->zone));
			emit("]}\n");
		}
	}
}

static void dump_state(const char *when, long op)
{
	int zi;

	emit("{\"t\":\"state\",\"when\":\"%s\",\"op\":%ld,\"cpu\":%d,\"ncpu\":%u,\"jiffies\":%lu}\n",
	     when, op, raw_smp_processor_id(), num_online_cpus(), jiffies);
	for (zi = 0; zi < NZONES; zi++) {
		struct zone *z = zone_nr(zi);

		if (z)
			dump_zone(z, zi);
	}
	emit("{\"t\":\"endstate\",\"when\":\"%s\"}\n", when);
}

struct snapreq { const char *name; int on, off; };

static int do_snap(void *arg)
{
	struct snapreq *r = arg;

	if (r->off)
		tracing_off();
	dump_state(r->name, -1);
	if (r->on)
		tracing_on();
	return 0;
}

static void snap(struct snapreq *r)
{
	unsigned long flags;

	if (num_online_cpus() > 1) {
		stop_machine(do_snap, r, NULL);
	} else {
		local_irq_save(flags);
		do_snap(r);
		local_irq_restore(flags);
	}
}

/* ---- scripted runs --------------------------------------------------------- */
#define G_BASE (__GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC)
#define G_U ((GFP_KERNEL & ~__GFP_DIRECT_RECLAIM) | G_BASE)
#define G_M ((GFP_HIGHUSER_MOVABLE & ~__GFP_DIRECT_RECLAIM) | G_BASE)
#define KSW __GFP_KSWAPD_RECLAIM
static const struct { const char *name; gfp_t gfp; } gtab[] = {
	{ "U", G_U },				/* 0 kernel, unmovable */
	{ "R", G_U | __GFP_RECLAIMABLE },	/* 1 kernel, reclaimable */
	{ "M", G_M },				/* 2 user, movable */
	{ "A", GFP_ATOMIC | __GFP_NOWARN },	/* 3 atomic */
	{ "D32", G_U | __GFP_DMA32 },		/* 4 */
	{ "D", G_U | __GFP_DMA },		/* 5 */
	{ "Uq", G_U & ~KSW },			/* 6.. the same, no kswapd bit */
	{ "Rq", (G_U | __GFP_RECLAIMABLE) & ~KSW },
	{ "Mq", G_M & ~KSW },
	{ "Aq", (GFP_ATOMIC & ~KSW) | __GFP_NOWARN },
};
enum { gU, gR, gM, gA, gD32, gD, gUq, gRq, gMq, gAq };

/* order weights, percent, orders 0..10 */
static const u8 od[][11] = {
	{ 100 },				/* 0: order 0 only */
	{ 70, 12, 8, 6, 2, 1, 0, 0, 0, 1, 0 },	/* 1: mixed */
	{ 20, 10, 10, 15, 10, 8, 7, 6, 5, 7, 2 },/* 2: high */
	{ 85, 8, 4, 3 },			/* 3: low */
	{ 0, 0, 0, 20, 20, 15, 15, 10, 8, 10, 2 },/* 4: very high */
};

enum { F_RAND, F_LIFO, F_BURST };
struct phase {
	u8 target;	/* live pages wanted, percent of the initial free pages */
	u8 how;		/* which live allocation a free picks */
	u8 odist;
	u8 w[6];	/* weights of U R M A D32 D, sum 100 */
	u8 quiet;	/* use the no-kswapd variants */
};
#define NPH 8
static const struct mix { const char *name; struct phase ph[NPH]; } mixes[] = {
	{ "order0_movable", {
		{ 60, F_RAND,  0, {  5,  5, 90, 0, 0, 0 }, 1 },
		{ 60, F_RAND,  0, {  5,  5, 90, 0, 0, 0 }, 1 },
		{ 60, F_LIFO,  0, {  5,  5, 90, 0, 0, 0 }, 1 },
		{ 20, F_RAND,  0, {  5,  5, 90, 0, 0, 0 }, 1 },
		{ 20, F_BURST, 0, { 10, 10, 80, 0, 0, 0 }, 1 },
		{ 80, F_RAND,  0, {  5,  5, 90, 0, 0, 0 }, 1 },
		{ 80, F_BURST, 0, {  5,  5, 90, 0, 0, 0 }, 1 },
		{ 10, F_RAND,  0, {  5,  5, 90, 0, 0, 0 }, 1 } } },
	{ "mixed_orders", {
		{ 50, F_RAND,  1, { 40, 20, 40, 0, 0, 0 }, 0 },
		{ 50, F_RAND,  1, { 40, 20, 35, 5, 0, 0 }, 0 },
		{ 70, F_RAND,  3, { 20, 30, 45, 5, 0, 0 }, 0 },
		{ 70, F_BURST, 1, { 40, 20, 35, 5, 0, 0 }, 0 },
		{ 30, F_RAND,  3, { 60, 20, 15, 5, 0, 0 }, 0 },
		{ 85, F_RAND,  1, { 20, 10, 65, 5, 0, 0 }, 0 },
		{ 85, F_LIFO,  1, { 40, 20, 35, 5, 0, 0 }, 0 },
		{ 20, F_RAND,  1, { 40, 20, 35, 5, 0, 0 }, 0 } } },
	{ "high_order_steal", {
		{ 92, F_RAND,  0, {  2,  2, 96, 0, 0, 0 }, 0 },
		{ 92, F_RAND,  0, {  2,  2, 96, 0, 0, 0 }, 0 },
		{ 55, F_RAND,  0, {  5,  5, 90, 0, 0, 0 }, 0 },
		{ 75, F_RAND,  2, { 50, 40, 10, 0, 0, 0 }, 0 },
		{ 75, F_BURST, 2, { 40, 40, 20, 0, 0, 0 }, 0 },
		{ 40, F_BURST, 4, { 30, 30, 40, 0, 0, 0 }, 0 },
		{ 85, F_RAND,  2, { 30, 30, 40, 0, 0, 0 }, 0 },
		{ 30, F_RAND,  4, { 40, 20, 40, 0, 0, 0 }, 0 } } },
	{ "near_exhaustion", {
		{ 200, F_RAND,  3, { 20, 10, 70, 0, 0, 0 }, 1 },
		{ 200, F_RAND,  3, { 30, 20, 50, 0, 0, 0 }, 1 },
		{ 200, F_BURST, 1, { 40, 20, 30, 10, 0, 0 }, 1 },
		{ 200, F_RAND,  1, { 40, 20, 30, 10, 0, 0 }, 1 },
		{ 90, F_RAND,  3, { 20, 20, 60, 0, 0, 0 }, 1 },
		{ 200, F_BURST, 1, { 30, 30, 30, 10, 0, 0 }, 1 },
		{ 200, F_LIFO,  2, { 30, 30, 30, 10, 0, 0 }, 1 },
		{ 60, F_RAND,  3, { 30, 30, 30, 10, 0, 0 }, 1 } } },
	{ "zonelist", {
		{ 45, F_RAND,  1, { 30, 15, 45, 5, 4, 1 }, 0 },
		{ 45, F_RAND,  1, { 30, 15, 45, 5, 4, 1 }, 0 },
		{ 70, F_RAND,  3, { 30, 15, 45, 5, 4, 1 }, 0 },
		{ 70, F_BURST, 1, { 30, 15, 45, 5, 4, 1 }, 0 },
		{ 95, F_RAND,  3, { 10, 10, 70, 5, 4, 1 }, 0 },
		{ 200, F_BURST, 1, { 30, 15, 45, 5, 4, 1 }, 0 },
		{ 60, F_RAND,  2, { 30, 15, 45, 5, 4, 1 }, 0 },
		{ 20, F_RAND,  1, { 30, 15, 45, 5, 4, 1 }, 0 } } },
};

struct live { u32 pfn, op; u8 order; };
static struct live *live;
static u32 nlive;
static u64 lcg;

static u32 rnd(u32 n)		/* uniform enough in [0, n) */
{
	lcg = lcg * 6364136223846793005ULL + 1442695040888963407ULL;
	return ((lcg >> 32) * n) >> 32;
}

static long zone_free_total(void)
{
	long n = 0;
	int zi;

	for (zi = 0; zi < NZONES; zi++) {
		struct zone *z = zone_nr(zi);

		if (z)
			n += atomic_long_read(&z->vm_stat[NR_FREE_PAGES]);
	}
	return n;
}

static void log_counts(long op)
{
	int zi, o;

	for (zi = 0; zi < NZONES; zi++) {
		struct zone *z = zone_nr(zi);
		struct per_cpu_pages *p;

		if (!z)
			continue;
		p = per_cpu_ptr(z->per_cpu_pageset, raw_smp_processor_id());
		emit("[%ld,\"C\",%d,[", op, zi);
		for (o = 0; o < NR_PAGE_ORDERS; o++)
			emit("%s%lu", o ? "," : "", z->free_area[o].nr_free);
		emit("],%d,%d,%lu,%lu]\n", p->count, p->high, z->watermark_boost,
		     z->nr_reserved_highatomic);
	}
}

static void log_op(long i, char c, u32 a, u32 order, long pfn)
{
	ech('[');
	enu(i);
	ech(',');
	ech('"');
	ech(c);
	ech('"');
	ech(',');
	enu(a);
	ech(',');
	enu(order);
	ech(',');
	if (pfn < 0)
		emit("null");
	else
		enu(pfn);
	ech(']');
	ech('\n');
}

static u32 burst_left, burst_at;

static long free_one(long i, int how)
{
	struct live l;
	u32 k;

	if (how == F_LIFO) {
		k = nlive - 1;
	} else if (how == F_BURST) {
		if (!burst_left) {
			burst_left = 1 + rnd(32);
			burst_at = rnd(nlive);
		}
		burst_left--;
		k = burst_at % nlive;
		burst_at = k + 1;
	} else {
		k = rnd(nlive);
	}
	l = live[k];
	live[k] = live[--nlive];
	log_op(i, 'F', l.op, l.order, l.pfn);
	__free_pages(pfn_to_page(l.pfn), l.order);
	return 1L << l.order;
}

static int alloc_one(long i, const struct phase *ph)
{
	u32 r = rnd(100), g = 0, o = 0;
	struct page *page;

	while (g < 5 && r >= ph->w[g])
		r -= ph->w[g++];
	if (ph->quiet && g <= gA)
		g += gUq;
	r = rnd(100);
	while (o < 10 && r >= od[ph->odist][o])
		r -= od[ph->odist][o++];
	page = alloc_pages(gtab[g].gfp, o);
	log_op(i, 'A', g, o, page ? (long)page_to_pfn(page) : -1L);
	if (!page)
		return 0;
	live[nlive].pfn = page_to_pfn(page);
	live[nlive].op = i;
	live[nlive].order = o;
	nlive++;
	return 1 << o;
}

static int run(const char *mixname, u64 seed, long nops, int trace)
{
	const struct mix *m = NULL;
	unsigned long flags;
	long i, livepages = 0, total, nulls = 0, freeburst = 0;
	int k;

	for (k = 0; k < ARRAY_SIZE(mixes); k++)
		if (!strcmp(mixes[k].name, mixname))
			m = &mixes[k];
	if (!m || nlive)
		return -EINVAL;
	emit("{\"t\":\"run\",\"mix\":\"%s\",\"seed\":%llu,\"nops\":%ld,\"release\":\"%s\",\"gfps\":[",
	     m->name, seed, nops, utsname()->release);
	for (k = 0; k < ARRAY_SIZE(gtab); k++)
		emit("%s[\"%s\",%u]", k ? "," : "", gtab[k].name,
		     (__force u32)gtab[k].gfp);
	emit("],\"max_nr_zones\":%d}\n", (int)MAX_NR_ZONES);
	dump_zonelists();

	lcg = seed;
	burst_left = 0;
	local_irq_save(flags);
	total = zone_free_total();
	dump_state("initial", 0);
	if (trace)
		tracing_on();
	for (i = 0; i < nops; i++) {
		const struct phase *ph = &m->ph[i * NPH / nops];
		long target = total * ph->target / 100;
		bool a;

		if (i && i % 1000 == 0)
			log_counts(i);
		if (i && i % (nops / 4) == 0) {
			char w[16];

			snprintf(w, sizeof(w), "ckpt%ld", i / (nops / 4));
			dump_state(w, i);
		}
		if (!nlive)
			a = true;
		else if (nlive >= maxlive)
			a = false;
		else if (freeburst)
			a = false, freeburst--;
		else if (livepages < target - target / 64)
			a = rnd(10) != 0;
		else if (livepages > target + target / 64)
			a = rnd(10) == 0;
		else
			a = rnd(2);
		if (a) {
			int n = alloc_one(i, ph);

			livepages += n;
			nulls = n ? 0 : nulls + 1;
			if (nulls >= 8) {	/* really out: let some go */
				freeburst = 1 + rnd(64);
				nulls = 0;
			}
		} else {
			livepages -= free_one(i, ph->how);
		}
	}
	if (trace)
		tracing_off();
	dump_state("final", nops);
	local_irq_restore(flags);
	emit("{\"t\":\"endrun\",\"mix\":\"%s\",\"live\":%u,\"overflow\":%d}\n",
	     m->name, nlive, overflow);
	return 0;
}

static void free_all(void)
{
	unsigned long flags;
	long i = 0;

	if (!nlive)
		return;
	local_irq_save(flags);
	emit("{\"t\":\"freeall\",\"n\":%u}\n", nlive);
	dump_state("before_freeall", 0);
	while (nlive)
		free_one(i++, F_RAND);
	dump_state("after_freeall", i);
	local_irq_restore(flags);
}

/* ---- NMI context ------------------------------------------------------------ */
#if HAVE_NOLOCK
#define NMI_SLOTS 64
static void *nobj[NMI_SLOTS];
static struct page *npage[NMI_SLOTS];
static unsigned int nmi_n, nmi_ok, nmi_fail, nmi_pok, nmi_pfail, nmi_size;

static int nmi_handler(unsigned int type, struct pt_regs *regs)
{
	unsigned int k = nmi_n % NMI_SLOTS;

	if (!READ_ONCE(nmi_size))
		return NMI_DONE;
	/* every slot: free what is there, then allocate anew */
	if (nobj[k])
		kfree_nolock(nobj[k]);
	nobj[k] = kmalloc_nolock(nmi_size << (nmi_n % 3), __GFP_ZERO, NUMA_NO_NODE);
	if (nobj[k])
		nmi_ok++;
	else
		nmi_fail++;
	if (nmi_n % 4 == 0 && !npage[k]) {
		npage[k] = alloc_pages_nolock(0, NUMA_NO_NODE, 0);
		if (npage[k])
			nmi_pok++;
		else
			nmi_pfail++;
	}
	nmi_n++;
	return NMI_HANDLED;
}

static int run_nmi(unsigned int count, unsigned int size, int target, int gap)
{
	struct apic **pa = (void *)p_lookup("apic");
	unsigned int i, seen;
	int rc;

	if (!pa || !*pa)
		return -ENOENT;
	nmi_n = nmi_ok = nmi_fail = nmi_pok = nmi_pfail = 0;
	rc = register_nmi_handler(NMI_LOCAL, nmi_handler, 0, "pgoracle");
	if (rc)
		return rc;
	WRITE_ONCE(nmi_size, size);
	for (i = 0; i < count; i++) {
		seen = READ_ONCE(nmi_n);
		preempt_disable();
		(*pa)->send_IPI_mask(cpumask_of(target < 0 ? smp_processor_id() : target), NMI_VECTOR);
		preempt_enable();
		for (rc = 0; rc < 100 && READ_ONCE(nmi_n) == seen; rc++)
			udelay(1);
		if (gap)
			udelay(gap + nmi_n % 16);	/* do not lock step with the victim */
		if (i % 64 == 63)
			cond_resched();
	}
	WRITE_ONCE(nmi_size, 0);
	unregister_nmi_handler(NMI_LOCAL, "pgoracle");
	for (i = 0; i < NMI_SLOTS; i++) {
		if (nobj[i])
			kfree_nolock(nobj[i]);
		nobj[i] = NULL;
		if (npage[i])
			__free_pages(npage[i], 0);
		npage[i] = NULL;
	}
	emit("{\"t\":\"nmi\",\"sent\":%u,\"seen\":%u,\"size\":%u,\"kmalloc_ok\":%u,\"kmalloc_fail\":%u,\"page_ok\":%u,\"page_fail\":%u}\n",
	     count, nmi_n, size, nmi_ok, nmi_fail, nmi_pok, nmi_pfail);
	return 0;
}
#else
static int run_nmi(unsigned int count, unsigned int size, int target, int gap)
{
	return -EOPNOTSUPP;
}
#endif

/* ---- control file ------------------------------------------------------------- */
static ssize_t ctl_write(struct file *f, const char __user *u, size_t n, loff_t *pos)
{
	char cmd[96], w[32] = "", name[40] = "";
	unsigned long long a = 0;
	long b = 0;
	int t = 0, rc = 0;

	if (n >= sizeof(cmd))
		return -EINVAL;
	if (copy_from_user(cmd, u, n))
		return -EFAULT;
	cmd[n] = 0;
	mutex_lock(&lock);
	if (sscanf(cmd, "%31s %39s", w, name) < 1) {
		rc = -EINVAL;
	} else if (!strcmp(w, "reset")) {
		len = 0;
		overflow = false;
	} else if (!strcmp(w, "drain")) {
		if (p_lru_add_drain_all)
			p_lru_add_drain_all();
		if (p_drain_all_pages)
			p_drain_all_pages(NULL);
	} else if (!strcmp(w, "snap")) {
		struct snapreq r = { name, 0, 0 };
		snap(&r);
	} else if (!strcmp(w, "snap_on")) {
		struct snapreq r = { name, 1, 0 };
		snap(&r);
	} else if (!strcmp(w, "off_snap")) {
		struct snapreq r = { name, 0, 1 };
		snap(&r);
	} else if (!strcmp(w, "run")) {
		if (sscanf(cmd, "%*s %39s %llu %ld %d", name, &a, &b, &t) < 3 || b < 8)
			rc = -EINVAL;
		else
			rc = run(name, a, b, t);
	} else if (!strcmp(w, "free")) {
		free_all();
	} else if (!strcmp(w, "nmi")) {
		int target = -1;

		t = 0;
		if (sscanf(cmd, "%*s %llu %ld %d %d", &a, &b, &target, &t) < 2 ||
		    (target >= 0 && !cpu_online(target)))
			rc = -EINVAL;
		else
			rc = run_nmi(a, b, target, t);
	} else {
		rc = -EINVAL;
	}
	mutex_unlock(&lock);
	return rc ? rc : n;
}

static ssize_t ctl_read(struct file *f, char __user *u, size_t n, loff_t *pos)
{
	return simple_read_from_buffer(u, n, pos, buf, len);
}

static const struct proc_ops ctl_ops = {
	.proc_write = ctl_write,
	.proc_read = ctl_read,
	.proc_lseek = default_llseek,
};

static int __init pgoracle_init(void)
{
	int rc = find_symbols();

	if (rc)
		return rc;
	cap = (size_t)bufmb << 20;
	buf = vmalloc(cap);
	live = vmalloc(sizeof(*live) * maxlive);
	if (!buf || !live)
		goto nomem;
	memset(buf, 0, cap);
	if (!proc_create("pgoracle", 0600, NULL, &ctl_ops))
		goto nomem;
	pr_info("pgoracle: ready, %u MiB buffer\n", bufmb);
	return 0;
nomem:
	vfree(buf);
	vfree(live);
	return -ENOMEM;
}

static void __exit pgoracle_exit(void)
{
	remove_proc_entry("pgoracle", NULL);
	free_all();
	vfree(buf);
	vfree(live);
}

module_init(pgoracle_init);
module_exit(pgoracle_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("page allocator ground-truth recorder");
