#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""check_trace.py RUN_DIR...  Replay a recorded kmem trace at PFN level
between the two exact state dumps taken with it (state.jsonl), report what
does not add up, and print the trace's statistics."""
import glob, json, lzma, os, re, sys
from collections import Counter
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from check_oracle import parse

LINE = re.compile(r"^\s*(?P<comm>.+)-(?P<pid>\d+)\s+\[(?P<cpu>\d+)\]\s+(?P<fl>\S+)\s+(?P<ts>\d+\.\d+):\s+(?:bpf_trace_printk: )?(?P<ev>\w+):\s*(?P<rest>.*)$")
KV = re.compile(r"(\w+)=(\S*)")

def openx(fn):
    if fn.endswith(".xz"): return lzma.open(fn, "rt", errors="replace")
    return open(fn, errors="replace")

def find(d, name):
    for c in (name, name + ".xz"):
        if os.path.exists(os.path.join(d, c)): return os.path.join(d, c)

def ctx(fl):
    c = fl[2] if len(fl) > 2 else "?"
    return {".": "task", "s": "softirq", "h": "hardirq", "H": "hardirq-in-softirq", "z": "NMI", "Z": "NMI"}.get(c, c)

def main(d):
    tr = find(d, "trace.txt"); st = find(d, "state.jsonl")
    states = {}
    if st:
        for k, v in parse(st):
            if k == "state": states[v.when] = v
    errs = Counter(); bad = []
    for s in states.values(): s.check(lambda m: errs.update([m]))
    have = set(states["before"].pages) if "before" in states else None
    ev = Counter(); cx = Counter(); orders = Counter(); mts = Counter(); pcx = Counter(); gfps = Counter(); names = Counter()
    freeorders = Counter(); extf = Counter(); t0 = t1 = None; fail = 0; n = 0; unparsed = 0; lost = 0
    a_notfree = f_already = 0
    for ln in openx(tr):
        if ln.startswith("#") or not ln.strip(): continue
        if "LOST" in ln and "EVENTS" in ln: lost += 1; continue
        m = LINE.match(ln)
        if not m: unparsed += 1; continue
        n += 1; e = m["ev"]; ev[e] += 1; c = ctx(m["fl"]); cx[c] += 1
        t = float(m["ts"]); t0 = t if t0 is None else t0; t1 = t
        if e == "mm_page_alloc":
            kv = dict(KV.findall(m["rest"])); o = int(kv["order"]); pfn = int(kv["pfn"], 16)
            if re.fullmatch(r"0*", kv["page"]) or kv["page"] == "(null)" or pfn == 0: fail += 1; continue
            orders[o] += 1; mts[int(kv["migratetype"])] += 1; pcx[c] += 1; gfps[kv["gfp_flags"]] += 1
            if have is not None:
                r = range(pfn, pfn + (1 << o))
                if not have.issuperset(r):
                    a_notfree += 1
                    if len(bad) < 5: bad.append(f"alloc of a page not free: line {n}: {ln.strip()[:140]}")
                have.difference_update(r)
        elif e == "mm_page_free":
            kv = dict(KV.findall(m["rest"])); o = int(kv["order"]); pfn = int(kv["pfn"], 16)
            freeorders[o] += 1
            if have is not None:
                r = range(pfn, pfn + (1 << o))
                if not have.isdisjoint(r):
                    f_already += 1
                    if len(bad) < 5: bad.append(f"free of a free page: line {n}: {ln.strip()[:140]}")
                have.update(r)
        elif e == "mm_page_alloc_extfrag":
            kv = dict(KV.findall(m["rest"])); extf[(kv["alloc_migratetype"], kv["fallback_migratetype"], kv.get("change_ownership"))] += 1
    print(f"== {d}: {n} events, {t1-t0:.2f} s, {n/max(t1-t0,1e-9):.0f}/s, lost markers {lost}, unparsed {unparsed}")
    print("  events", dict(ev.most_common()))
    print("  context, all events", dict(cx.most_common()), "| page allocs", dict(pcx.most_common()))
    print("  alloc order", dict(sorted(orders.items())), "| migratetype", dict(sorted(mts.items())), "| failed", fail)
    print("  free order", dict(sorted(freeorders.items())))
    print("  extfrag", sum(extf.values()), {"%s<-%s own=%s" % k: v for k, v in extf.most_common(8)})
    print("  gfp", dict(gfps.most_common(6)))
    if have is not None and "after" in states:
        fin = states["after"].pages
        print(f"  PFN replay: allocs of not-free {a_notfree}, frees of already-free {f_already}, "
              f"missing {len(have - fin)}, extra {len(fin - have)} -> {'EXACT' if have == fin and not a_notfree and not f_already else 'DIFFERS'}")
        for s in ("before", "after"):
            z = states[s]
            print(f"    {s}: free={sum(x['nr_free_pages'] for x in z.zones.values())} pcp={sum(p['count'] for p in z.pcp)} nr_free=" +
                  " ".join(f"{x['name']}:{x['nr_free']}" for x in z.zones.values()))
        diff = sorted(have ^ fin)
        if diff:
            print("    first differing pfns", [hex(p) for p in diff[:8]])
    for b in bad: print("   ", b)
    for m, c in errs.items(): print("  STATE ERR", m, c)

if __name__ == "__main__":
    for d in sys.argv[1:]: main(d)
