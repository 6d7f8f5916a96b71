/**
 * Runs short commands with the bundle in the directory named, and keeps the code that V8 compiled for them beside it.
 *
 * What they print is thrown away by the caller. Why this is done is said in bin/load-bundle.js.
 */
'use strict';

const { join } = require('node:path');
const { Worker } = require('node:worker_threads');
const { Bundle } = require('../bin/load-bundle.js');

const workload = (name) => join(__dirname, '../workloads', name);
const COMMANDS = [
  ['--help'],
  ['run', '--help'],
  ['run', workload('csv/first-steps.csv')],
  ['run', workload('csv/fragmentation.csv'), '--json'],
  ['policy', 'diff', 'mainline-6.1', 'mainline-7.2'],
  ['diff', 'mainline-6.18', 'spb-v2', workload('gen/slab-ramp.csv.gz'), '--memory', '2GiB'],
];

/** The second thread of a comparison stores what it compiled; nobody may end before it has. */
const STORING_THREAD = '2';

async function warm() {
  process.env.SPBSIM_SAVE_COMPILED = STORING_THREAD;
  Worker.prototype.unref = () => {};
  const bundle = new Bundle(process.argv[2]);
  const { main } = bundle.load('spbsim.js');
  for (const command of COMMANDS) {
    await main([process.execPath, 'spbsim', ...command]);
    if (process.exitCode) throw new Error(`spbsim ${command.join(' ')}: exit code ${process.exitCode}`);
  }
  bundle.saveCompiled();
}

warm();
