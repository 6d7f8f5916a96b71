/**
 * Loads the bundle, with the code that V8 compiled for it when it was built.
 *
 * Compiling the bundle takes about as long as a short run itself. V8 can store what it compiled; it takes that back only
 * from the same version of V8 with the same flags, and otherwise, or if the file is missing, compiles as always.
 * Newer versions of Node have the like in `module.enableCompileCache`, but keep it in a directory of their own.
 */
'use strict';

const { readFileSync, statSync, writeFileSync } = require('node:fs');
const { createRequire, wrap } = require('node:module');
const { join } = require('node:path');
const { Script } = require('node:vm');

/** How a file of the bundle asks for another one; everything else it asks for is Node's business. */
const OF_BUNDLE = /^\.\/(.+\.js)$/;

/** What V8 stored for a file; nothing if the file is newer. */
function compiledCode(path, compiledPath) {
  try {
    const isOlder = statSync(compiledPath).mtimeMs < statSync(path).mtimeMs;
    return isOlder ? undefined : readFileSync(compiledPath);
  } catch {
    return undefined;
  }
}

class Bundle {
  #directory;
  #requireOther;
  /** modules by file name, and their scripts by the path of their compiled code */
  #modules = new Map();
  #scripts = new Map();

  constructor(directory = join(__dirname, '../dist/bundle')) {
    this.#directory = directory;
    this.#requireOther = createRequire(join(directory, 'bundle.js'));
  }

  /** Names of the files loaded so far. */
  get loaded() {
    return [...this.#modules.keys()];
  }

  /** Exports of a file of the bundle. */
  load(name) {
    const known = this.#modules.get(name);
    if (known !== undefined) return known.exports;
    const module = { exports: {} };
    this.#modules.set(name, module);
    const path = join(this.#directory, name);
    const compiledPath = path.replace(/\.js$/, '.v8');
    const script = new Script(wrap(readFileSync(path, 'utf8')), {
      // V8 stores it with the code, so it must not say where that was built.
      filename: `spbsim/${name}`,
      cachedData: compiledCode(path, compiledPath),
    });
    this.#scripts.set(compiledPath, script);
    const requireAny = (id) => {
      const match = OF_BUNDLE.exec(id);
      return match === null ? this.#requireOther(id) : this.load(match[1]);
    };
    script.runInThisContext()(module.exports, requireAny, module, path, this.#directory);
    return module.exports;
  }

  /** Stores what was compiled so far, functions that have run included. */
  saveCompiled() {
    for (const [path, script] of this.#scripts) writeFileSync(path, script.createCachedData());
  }
}

module.exports = { Bundle };
