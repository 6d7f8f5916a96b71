/** The two paddings that kernel texts are made of: C's `%8s` and `%-8s`. A longer value is never cut. */
export function right(value: number | string, width: number): string {
  return String(value).padStart(width);
}

export function left(value: number | string, width: number): string {
  return String(value).padEnd(width);
}
