import { expect, test } from 'vitest';
import { guessKernel } from '../../src/trace/kernel-generation.js';

test.each([
  ['Linux 6.18.44 x86_64\n', '6.18.44', '6.18', true],
  [
    'Linux version 7.2.12+deb13-amd64 (debian-kernel@lists.debian.org) (gcc 14.2.0)',
    '7.2.12+deb13-amd64',
    '7.2',
    true,
  ],
  ['Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org)', '6.1.0-56-amd64', '6.1', true],
  ['6.7.0', '6.7.0', '6.18', true],
  ['7.0.3', '7.0.3', '6.18', true],
  ['7.1.0-rc2', '7.1.0-rc2', '7.2', true],
  ['6.6.12', '6.6.12', '6.1', false],
  ['5.15.0', '5.15.0', '6.1', false],
  ['9.0.0', '9.0.0', '7.2', false],
])('%s', (text, release, generation, sure) => {
  expect(guessKernel(text)).toMatchObject({ release, generation, sure });
});

test('a guess that is not sure says so', () => {
  expect(guessKernel('6.6.12').note).toBe('kernel 6.6.12 has no model of its own, read as 6.1');
  expect(guessKernel('').note).toBe('no kernel release found, read as 6.18');
});
