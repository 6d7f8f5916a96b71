/**
 * Runs short commands with the bundle in the directory named, and keeps the code that V8 compiled for them beside it.
 *
 * What they print is thrown away by the caller. Why this is done is said in bin/load-bundle.js.
 */
'use strict';

const { join } = require('node:path');
const { Bundle } = require('../bin/load-bundle.js');

const workload = (name) => join(__dirname, '../workloads', name);
const COMMANDS = [
  ['--help'],
  ['run', '--help'],
  ['run', workload('csv/first-steps.csv')],
  ['run', workload('csv/fragmentation.csv'), '--json'],
  ['policy', 'diff', 'mainline-6.1', 'mainline-7.2'],
];

async function warm() {
  const bundle = new Bundle(process.argv[2]);
  const { main } = bundle.load('spbsim.js');
  for (const command of COMMANDS) {
    await main([process.execPath, 'spbsim', ...command]);
    if (process.exitCode) throw new Error(`spbsim ${command.join(' ')}: exit code ${process.exitCode}`);
  }
  bundle.saveCompiled();
}

warm();
