/**
 * What colour may say. Renderers are given a style and never ask whether there is a terminal.
 */
export interface TextStyle {
  /** agreement, an improvement */
  good(text: string): string;
  /** disagreement, a loss */
  bad(text: string): string;
  /** a hazard: the result may not mean what it seems to */
  warn(text: string): string;
  /** present, but of no interest here */
  dim(text: string): string;
  heading(text: string): string;
}

const same = (text: string) => text;

/** No colour: files, pipes, tests. */
export const plainStyle: TextStyle = { good: same, bad: same, warn: same, dim: same, heading: same };

/** Colours as far as stdout shows them; chalk knows NO_COLOR, FORCE_COLOR and the terminal. */
export async function terminalStyle(): Promise<TextStyle> {
  const { default: chalk } = await import('chalk');
  if (chalk.level === 0) return plainStyle;
  return { good: chalk.green, bad: chalk.red, warn: chalk.yellow, dim: chalk.dim, heading: chalk.bold };
}
