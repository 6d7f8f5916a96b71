/**
 * Bundles the command line of dist/ into dist/bundle/, which is what bin/spbsim.js loads.
 *
 * Half of a short run's time was the loading of 150 small files and of libraries of which it uses little. The bundle is
 * a few CommonJS files (Node loads them without waiting in between), unminified and with their names kept, so that the
 * stack of a bug stays readable. What a command loads when it runs stays a file of its own. dist/ itself is left as it
 * is: tests and benches import its modules.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const repository = fileURLToPath(new URL('../', import.meta.url));
const DIST = join(repository, 'dist');
const BUNDLE = join(DIST, 'bundle');
const FRESH = join(DIST, `bundle-${process.pid}`);
const OLD = `${FRESH}-old`;

/**
 * Files that something loads by name. Each is bundled by itself, so a worker starts without the command line. A worker
 * is `new Worker(new URL('./NAME.js', import.meta.url))` in a module beside it: that is right in dist/ and in the bundle.
 */
const ENTRIES = {
  spbsim: 'cli/main.js',
  'trace-worker': 'trace/worker/trace-worker.js',
  'side-worker-code': 'sim/fleet/side-worker.js',
};

/**
 * Threads that live for one short command load their code as the command does (bin/load-bundle.js), compiled already. The
 * thread whose number SPBSIM_SAVE_COMPILED gives stores what it has compiled when it ends.
 */
const WITH_COMPILED_CODE = ['side-worker'];

function loader(name) {
  return `'use strict';
const { threadId } = require('node:worker_threads');
const { Bundle } = require('../../bin/load-bundle.js');

const bundle = new Bundle(__dirname);
bundle.load('${name}-code.js');
if (process.env.SPBSIM_SAVE_COMPILED === String(threadId)) process.on('exit', () => bundle.saveCompiled());
`;
}

/** Loaded by the few runs that need them; too large, or of a licence that wants its files left apart. */
const EXTERNAL = [/^node:/, 'apache-arrow', '@hpcc-js/wasm-zstd', 'xz-decompress'];

/** In code that is compiled by bin/load-bundle.js there is no `import()`, so this file does it, loaded by Node itself. */
const IMPORTER = 'import.cjs';
const IMPORTER_TEXT = "'use strict';\nmodule.exports = (id) => import(id);\n";

const importElsewhere = {
  name: 'import-elsewhere',
  renderChunk(code, chunk) {
    const changed = code.replace(/\bimport\((?="[^"]*"\))/g, `require("./${IMPORTER}")(`);
    if (/\bimport\(/.test(changed))
      throw new Error(`${chunk.fileName}: import() of something that is no text`);
    return changed;
  },
};

function modules(...names) {
  return new RegExp(`[\\\\/]dist[\\\\/](?:${names.join('|').replaceAll('/', '[\\\\/]')})\\.js$`);
}

/** Modules that are loaded together stand together, each with all that it imports and that no line above has taken. */
const GROUPS = [
  { name: 'start', tags: ['$initial'] },
  { name: 'zod', test: /[\\/]node_modules[\\/]zod[\\/]/ },
  { name: 'yaml', test: /[\\/]node_modules[\\/]yaml[\\/]/ },
  // Loaded before everything else of a run, so that the traces are read meanwhile.
  { name: 'ahead', test: modules('cli/read-ahead') },
  {
    name: 'run',
    test: modules(
      'cli/commands/run',
      'config/(?:duration|machine-by-size|resolve-policy|size)',
      'report/result-json',
      'sim/run-trace',
      'trace/csv/reader',
    ),
  },
  { name: 'summary', test: modules('report/(?:summary-text|text-style)') },
  { name: 'chalk', test: /[\\/]node_modules[\\/]chalk[\\/]/ },
];

async function bundle(name, module) {
  const isMain = name === 'spbsim';
  const bundler = await rolldown({
    cwd: repository,
    input: { [name]: join(DIST, module) },
    platform: 'node',
    external: EXTERNAL,
    plugins: [importElsewhere],
    optimization: { inlineConst: { mode: 'all', pass: 2 } },
    // Modules that are imported early for one command and late for another are no mistake here.
    checks: { ineffectiveDynamicImport: false },
  });
  const { output } = await bundler.write({
    dir: FRESH,
    format: 'cjs',
    entryFileNames: '[name].js',
    chunkFileNames: isMain ? '[name].js' : `${name}-[name].js`,
    comments: { legal: true, annotation: false, jsdoc: false },
    codeSplitting: isMain
      ? { groups: GROUPS.map((group, at) => ({ ...group, priority: GROUPS.length - at })) }
      : true,
  });
  await bundler.close();
  return output.flatMap((chunk) => chunk.moduleIds ?? []);
}

/** The licences of all packages that the bundle holds. */
function notices(ids) {
  const folders = ids.map((id) => /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(id)?.[0]);
  const parts = [...new Set(folders)]
    .filter((folder) => folder !== undefined)
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
      if (file === undefined) throw new Error(`${name} is bundled, but has no licence file`);
      return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
    });
  return `The files of this directory hold parts of these packages.\n\n${parts.join(`\n${'-'.repeat(72)}\n\n`)}`;
}

async function build() {
  const ids = [];
  for (const [name, module] of Object.entries(ENTRIES)) {
    if (!existsSync(join(DIST, module))) throw new Error(`dist/${module} is missing: run tsc first`);
    ids.push(...(await bundle(name, module)));
  }
  for (const name of WITH_COMPILED_CODE) writeFileSync(join(FRESH, `${name}.js`), loader(name));
  writeFileSync(join(FRESH, 'package.json'), '{ "type": "commonjs" }\n');
  writeFileSync(join(FRESH, IMPORTER), IMPORTER_TEXT);
  writeFileSync(join(FRESH, 'LICENSES.txt'), notices(ids));
  const warm = fileURLToPath(new URL('warm.cjs', import.meta.url));
  const { status } = spawnSync(process.execPath, [warm, FRESH], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error('the bundle does not run');
}

try {
  await build();
  // Renamed and not rewritten: programs that start meanwhile find the old files or the new ones.
  if (existsSync(BUNDLE)) renameSync(BUNDLE, OLD);
  renameSync(FRESH, BUNDLE);
} finally {
  for (const directory of [FRESH, OLD]) rmSync(directory, { recursive: true, force: true });
}
