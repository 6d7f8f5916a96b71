#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""check_oracle.py FILE.jsonl[.xz]...  Self-consistency of module runs.

For every run: parse each state dump, check it against itself (counts, no
overlap, alignment, buddies that should have merged), then apply the op log
to the initial set of free PFNs and demand that it equals the final set (and
every checkpoint's), PFN for PFN.  Anything else touching the allocator
between the ops would show up as a difference.
"""
import json, lzma, sys
from collections import Counter

def lines(fn):
    with (lzma.open(fn, "rt") if fn.endswith(".xz") else open(fn)) as f:
        yield from f

class State:
    def __init__(self, when, op):
        self.when, self.op = when, op
        self.zones, self.free, self.pcpl, self.pcp, self.pb = {}, [], [], [], {}
        self.movable = {}   # zone -> {pageblock index: pages in use that are movable}
    def check(self, err):
        seen = set(); heads = {}
        for f in self.free:
            for p in f["pfns"]:
                if p % (1 << f["order"]): err(f"{self.when}: pfn {p} order {f['order']} unaligned")
                r = range(p, p + (1 << f["order"]))
                if not seen.isdisjoint(r): err(f"{self.when}: overlap at {p}")
                seen.update(r); heads[p] = (f["order"], f["zone"], f["mt"])
        for z, zi in self.zones.items():
            cnt = [0] * len(zi["nr_free"])
            for f in self.free:
                if f["zone"] == z: cnt[f["order"]] += len(f["pfns"])
            if cnt != zi["nr_free"]: err(f"{self.when}: zone {z} nr_free {zi['nr_free']} lists {cnt}")
            tot = sum(c << o for o, c in enumerate(cnt))
            diff = sum(p["nr_free_diff"] for p in self.pcp if p["zone"] == z)
            if tot != zi["nr_free_pages"] + diff: err(f"{self.when}: zone {z} vmstat {zi['nr_free_pages']}+{diff} lists {tot}")
        unmerged = 0
        for p, (o, z, mt) in heads.items():
            b = p ^ (1 << o)
            if o < len(self.zones[z]["nr_free"]) - 1 and heads.get(b, (None,))[0] == o and heads[b][1] == z and b > p:
                unmerged += 1
        self.unmerged = unmerged
        mism = sum(1 << f["order"] for f in self.free for p in f["pfns"]
                   if f["order"] < self.pb[f["zone"]]["pageblock_order"] and self.bmt(f["zone"], p) != f["mt"])
        self.mt_mismatch = mism
        for l in self.pcpl:
            for p in l["pfns"]:
                r = range(p, p + (1 << l["order"]))
                if not seen.isdisjoint(r): err(f"{self.when}: pcp overlap at {p}")
                seen.update(r)
        for p in self.pcp:
            n = sum(len(l["pfns"]) << l["order"] for l in self.pcpl if l["zone"] == p["zone"] and l["cpu"] == p["cpu"])
            if n != p["count"]: err(f"{self.when}: pcp zone {p['zone']} cpu {p['cpu']} count {p['count']} lists {n}")
        self.pages = seen
        return self
    def bmt(self, z, pfn):
        b = self.pb[z]; return int(b["mts"][(pfn - b["first_pfn"]) >> b["pageblock_order"]])

def parse(fn):
    """yields ('state', State) / ('op', [...]) / ('meta', dict)"""
    st = None
    for ln in lines(fn):
        d = json.loads(ln)
        if isinstance(d, list): yield "op", d; continue
        t = d["t"]
        if t == "state": st = State(d["when"], d["op"])
        elif t == "zone": st.zones[d["zone"]] = d
        elif t == "free": st.free.append(d)
        elif t == "pageblocks": st.pb[d["zone"]] = d
        elif t == "blockmovable": st.movable[d["zone"]] = dict(d["counts"])
        elif t == "pcp": st.pcp.append(d)
        elif t == "pcplist": st.pcpl.append(d)
        elif t == "endstate": yield "state", st
        else: yield "meta", d

def main(fn):
    errs = []; err = lambda m: errs.append(m)
    cur = None; name = fn; ops = Counter(); gorder = Counter(); live = {}; nulls = 0; info = []; freeing = False
    for kind, d in parse(fn):
        if kind == "meta":
            if d["t"] == "run": name = f"{d['mix']} seed={d['seed']} nops={d['nops']} {d['release']}"
            if d["t"] == "freeall": freeing = True
        elif kind == "state":
            d.check(err)
            if cur is None or d.when in ("initial", "before_freeall"):
                if cur is not None and cur != d.pages: info.append(f"{d.when}: {len(cur ^ d.pages)} pfns differ from the previous dump (interrupts were on)")
                cur = set(d.pages)
            elif cur != d.pages:
                err(f"{d.when}: {len(cur - d.pages)} pfns should be free and are not, {len(d.pages - cur)} the reverse")
                cur = set(d.pages)
            n = sum(z["nr_free_pages"] for z in d.zones.values())
            info.append(f"  {d.when:15s} op={d.op:<7d} free={n:<7d} pcp={sum(p['count'] for p in d.pcp):<5d} unmerged_buddies={d.unmerged} free_pages_in_other_type_block={d.mt_mismatch} boost={[z['boost'] for z in d.zones.values()]} highatomic={[z['highatomic_reserved'] for z in d.zones.values()]} blocks={dict(Counter(c for b in d.pb.values() for c in b['mts'] if c != '.'))}")
        else:
            i, c = d[0], d[1]
            if c == "C": continue
            ops[c] += 1
            a, order, pfn = d[2], d[3], d[4]
            if c == "A":
                gorder[order] += 1
                if pfn is None: nulls += 1; continue
                r = range(pfn, pfn + (1 << order))
                if pfn % (1 << order): err(f"op {i}: unaligned {pfn} order {order}")
                if not cur.issuperset(r): err(f"op {i}: alloc of {pfn} order {order}: not all free")
                cur.difference_update(r); live[i] = (pfn, order)
            else:
                if live.pop(a, None) != (pfn, order): err(f"op {i}: free of unknown {a}")
                r = range(pfn, pfn + (1 << order))
                if not cur.isdisjoint(r): err(f"op {i}: free of {pfn}: already free")
                cur.update(r)
    print(f"{name}: {'OK' if not errs else 'FAIL'} ops={dict(ops)} nulls={nulls} alloc orders={dict(sorted(gorder.items()))}")
    for m in info: print(m)
    for m in errs[:20]: print("  ERR", m)
    return not errs

if __name__ == "__main__":
    sys.exit(0 if all([main(f) for f in sys.argv[1:]]) else 1)
