/** Position of each word in its list, by the word. */
export function numbersOf<W extends string>(words: readonly W[]): Readonly<Record<W, number>> {
  return Object.fromEntries(words.map((word, number) => [word, number])) as Record<W, number>;
}
