/**
 * Starting up: what a short command costs beside Node itself and the two libraries that any command line of ours loads.
 *
 * Whole processes, one after the other and round by round, so that a machine that gets slower does so for all of them.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { median } from './figures.mjs';

const ROUNDS = 21;
const LAUNCHER = fileURLToPath(new URL('../../bin/spbsim.js', import.meta.url));
const TINY = fileURLToPath(new URL('../../workloads/csv/first-steps.csv', import.meta.url));

const PROGRAMS = {
  node: ['-e', '0'],
  libraries: ['--input-type=module', '-e', "import 'commander'; import 'chalk';"],
  help: [LAUNCHER, '--help'],
  run: [LAUNCHER, 'run', TINY],
};

/** `--help` against Node and the load of commander and chalk. */
const HELP_LIMIT = 1.5;

function wall_ms(name) {
  // Relative to this file, so that the libraries are found.
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const start = process.hrtime.bigint();
  const { status, stderr } = spawnSync(process.execPath, PROGRAMS[name], { cwd, encoding: 'utf8' });
  const taken = Number(process.hrtime.bigint() - start) / 1e6;
  if (status !== 0) throw new Error(`${name}: exit code ${status}\n${stderr}`);
  return taken;
}

export async function startupBench() {
  const times = Object.fromEntries(Object.keys(PROGRAMS).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) for (const name in PROGRAMS) times[name].push(wall_ms(name));
  const figures = Object.fromEntries(Object.entries(times).map(([name, all]) => [name, median(all)]));
  const { node, libraries } = figures;
  const line = (name, what, limit = '') => ({
    name: what,
    wall_ms: figures[name],
    ratio: figures[name] / libraries,
    text: `${what}: ${figures[name].toFixed(0)} ms, ${(figures[name] / libraries).toFixed(2)} x node with commander and chalk${limit}`,
  });
  return [
    {
      name: 'node',
      node_ms: node,
      libraries_ms: libraries,
      text: `node -e 0: ${node.toFixed(0)} ms; with commander and chalk: ${libraries.toFixed(0)} ms`,
    },
    line('help', '--help', ` (limit ${HELP_LIMIT})`),
    line('run', 'run of 20 rows'),
  ];
}
