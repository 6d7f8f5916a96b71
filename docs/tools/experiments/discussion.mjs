/** What the figures of docs/experiments.md mean, beside each experiment; to be read again when they change. */
export const DISCUSSION = {
  r1: `**Against the report.** The series' cover letter speaks of a 256 GB machine with 238 superpageblocks in its Normal zone, all memory used
by a fuzzer, of which normally fewer than 20 are tainted, and of 50 pages of 1 GiB allocated without an OOM kill (model: spb 1.2). Here it
is 10 to 14 of 238, and 50 of 50. Mainline taints all but the three that hold the kernel's own array of page structures, and gets none.

Where the model is kinder than a real machine:

- The share of non-movable memory is 5 % by construction, so that 9 to 12 superpageblocks could hold all of it; of the real machine it is not
  known. Every policy of the series stays within four of that floor.
- No page is pinned, under writeback or locked (\`spb.evac_fail_permille\` is 0), so that every clean superpageblock can be emptied.
- Four minutes of a story that begins with a fresh boot, against days.
- Slab pages are freed oldest first and whole: a dentry in use does not keep its page (\`shrinker.pinned_permille\` is 0).

**The three readings** of what NOFRAGMENT forbids (model: spb 3.3) hardly differ in what they taint. They differ in what that costs: R-b and R-c
reclaim half as much again to twice as much directly, for one superpageblock less. **Single mechanisms:** without the shrinker, or with it on demand only,
one or two more are tainted; defrag and evacuation change nothing here, because reclaim brings back room in tainted superpageblocks before
they are needed. **Costs:** a 1 GiB page moves 220,000 pages on average, 84 % of it, since clean superpageblocks are nearly full. The requests
that fail are movable ones of orders 4 to 9, large folios and huge pages: 400 to 770 of seven million, under mainline 170 to 510.`,
  r2: `**Against the report**: on a 247 GB machine with a slab that grew from 1.7 to 11.7 GB in six minutes, the trigger on demand ran 15 times and let
tainted superpageblocks grow from 4 to 16; that motivated the high water. With memory to spare the model shows the same: on demand 28 runs and
5 to 15 tainted, as many as non-movable memory needs and as many as without a shrinker; with the high water 5 to 11, because slab
itself stays smaller by a quarter. In both the floor is met exactly: what grows is the slab, not the waste.

With all memory used the picture turns. There are no empty superpageblocks left, so a non-movable request can taint only after it has dropped
NOFRAGMENT, and it does that only when reclaim finds nothing more. Reclaim always finds slab. So the four that are tainted when memory
fills stay four whatever the shrinker's trigger, and slab stops at 4 GiB where mainline lets it grow to 10: the policy caps slab, and the
caches pay. Nobody has reported this; it deserves a look on a real machine.`,
  r3: `That the risk is real shows in a unit test rather than here: on a machine whose every superpageblock is clean and full of page cache, one
unmovable page costs the whole page cache at a deadline of 100,000 rounds, and one huge page per round at any smaller one (scenario 41 of
[model/spb.md](model/spb.md)). In this workload slab shrinks under reclaim, so that a request is served by the slab that another has lost, long before
the deadline: one request in the whole run went further.`,
  e1: `Walking lists costs in proportion to memory when most superpageblocks are full, because full ones are visited first; the free lists read are as
many. The bitmaps read 8 to 35 words whatever the size (three levels, and a row for each order that has chunks), for one bit flipped in seven
allocations. Both choose the same superpageblock every time; the test suite compares their event logs byte by byte.`,
  recordings: `The recordings are seconds of machines with 8 GiB whose superpageblocks were tainted long before by a kernel without the series: nothing that a
policy does in seconds undoes that, and nothing in them needs to taint more. What differs is the order-9 index: \`spb-v2\` takes whole pageblocks
where mainline takes fragments, in npm-build twice as much of the free memory becomes unusable for huge pages. That is what Pass 1 says (whole pageblocks
first, model: spb 3.3) and what per-CPU lists that own pageblocks do; on small machines it costs.`,
};
