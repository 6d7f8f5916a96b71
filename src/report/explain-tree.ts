/**
 * Lines that belong to lines, and the folding of what repeats itself: a request that goes round sixteen times does the same
 * each time, up to figures.
 */
export interface TextNode {
  /** smaller numbers stand further out; a node belongs to the last one before it that stands further out */
  readonly level: number;
  readonly lines: readonly string[];
  readonly children: TextNode[];
}

/** Nodes that repeat as a group, at most so many. */
const LONGEST_PERIOD = 3;
/** What is shorter is not worth a line that says so. */
const LEAST_FOLDED_LINES = 3;

/** Puts nodes in order under those that they belong to. */
export function treeOf(flat: readonly Pick<TextNode, 'level' | 'lines'>[]): TextNode[] {
  const roots: TextNode[] = [];
  const open: TextNode[] = [];
  for (const { level, lines } of flat) {
    while (open.length > 0 && open.at(-1)!.level >= level) open.pop();
    const node: TextNode = { level, lines, children: [] };
    (open.at(-1)?.children ?? roots).push(node);
    open.push(node);
  }
  return roots;
}

function allLines(nodes: readonly TextNode[]): string[] {
  return nodes.flatMap((node) => [...node.lines, ...allLines(node.children)]);
}

/** Lines without their figures. */
function keyOf(lines: readonly string[]): string {
  return lines.join('\n').replace(/0x[0-9a-f]+|[\d,]*\d/g, '#');
}

/** Writes a tree, and for what it has written already only that it repeats. */
export class FoldingWriter {
  readonly lines: string[] = [];
  readonly #written = new Set<string>();

  /** @param remark a line with the indentation of another one */
  constructor(readonly remark: (text: string, like: string) => string) {}

  write(nodes: readonly TextNode[]): void {
    const keys = nodes.map((node) => keyOf(allLines([node])));
    for (let at = 0; at < nodes.length; ) {
      const { period, times } = repetitionAt(keys, at);
      for (const node of nodes.slice(at, at + period)) this.#writeNode(node);
      if (times > 0) {
        const what = period === 1 ? 'as the last' : `as the last ${period}`;
        this.lines.push(this.remark(`… ${times} more, ${what} up to figures`, nodes[at]!.lines[0] ?? ''));
      }
      at += period * (times + 1);
    }
  }

  #writeNode({ lines, children }: TextNode): void {
    this.lines.push(...lines);
    const inner = allLines(children);
    const key = keyOf(inner);
    if (inner.length >= LEAST_FOLDED_LINES && this.#written.has(key)) {
      this.lines.push(this.remark('… as above, up to figures', inner[0]!));
      return;
    }
    this.#written.add(key);
    this.write(children);
  }
}

/** The group at a place that repeats itself behind it, and how often; a single node without repetition if none does. */
function repetitionAt(keys: readonly string[], at: number): { period: number; times: number } {
  for (let period = 1; period <= LONGEST_PERIOD; period++) {
    const group = keys.slice(at, at + period);
    const isSame = (from: number) => group.every((key, i) => keys[from + i] === key);
    let times = 0;
    while (isSame(at + period * (times + 1))) times++;
    if (times > 0) return { period, times };
  }
  return { period: 1, times: 0 };
}
