import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.js';
import { KNOB_NAMES } from '../../src/mm/policy.js';

/** What a command prints for --help, all parts of it. */
async function helpOf(...path: string[]): Promise<string> {
  const program = createProgram();
  let text = '';
  const capture = (command: Command) => {
    command
      .configureOutput({ ...command.configureOutput(), writeOut: (part) => (text += part) })
      .exitOverride();
    for (const child of command.commands) capture(child);
  };
  capture(program);
  await program.parseAsync([...path, '--help'], { from: 'user' }).catch(() => undefined);
  return text;
}

describe('help', () => {
  test.each([[[]], [['run']], [['import']], [['verify']], [['policy']], [['schema']]])(
    '%j starts with examples that work as they stand',
    async (path) => {
      const text = await helpOf(...path);
      expect(text.startsWith('Examples:\n  spbsim ')).toBe(true);
      for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);

      // Every option and knob that an example uses must exist.
      const examples = text.slice(0, text.indexOf('\nUsage:')).split('\n').slice(1);
      for (const example of examples.filter((line) => line.trim() !== '')) {
        const words =
          example
            .trim()
            .split(/\s{2,}|[|>]/)
            .map((part) => part.trim().split(' '))
            .find(([program]) => program === 'spbsim') ?? [];
        const command = createProgram().commands.find((candidate) => candidate.name() === words[1]);
        expect(command, example).toBeDefined();
        const leaf = command!.commands.find((candidate) => candidate.name() === words[2]) ?? command!;
        for (const word of words.filter((part) => /^--?[a-z]/.test(part))) {
          expect(
            leaf.options.some((option) => option.short === word || option.long === word),
            `${word} in: ${example}`,
          ).toBe(true);
        }
        const knob = /--set (\S+)=/.exec(example)?.[1];
        if (knob !== undefined) expect(KNOB_NAMES).toContain(knob);
      }
    },
  );

  test.each([[[]], [['run']], [['import']], [['verify']]])('%j lists the exit codes', async (path) => {
    const text = await helpOf(...path);
    for (const code of ['  0    ', '  1    ', '  2    ', '  3    ', '  4    ', '  130  '])
      expect(text).toContain(code);
  });

  test('every option of the commands has a text', () => {
    const visit = (command: Command) => {
      expect(command.description(), command.name()).not.toBe('');
      for (const option of command.options) expect(option.description, option.flags).not.toBe('');
      command.commands.forEach(visit);
    };
    visit(createProgram());
  });
});
