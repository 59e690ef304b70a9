// Loaded into every thread cell before anything else. Node reads the modules of a thread in libuv's pool, which all
// threads share: a plugin that fills it would keep every other cell from starting. So a module is read at once, by the
// thread that needs it. It is CommonJS because Node reads that without the pool.
const fs = require('node:fs') as typeof import('node:fs');

/** What is larger, or no regular file, is no module that must be read at once. */
const mostBytes = 16 * 1024 * 1024;

const { statSync, readFileSync } = fs;
const inPool = fs.promises.readFile;

/** Node's loader calls it with nothing but a URL. */
function readFile(this: unknown, path: unknown, ...more: unknown[]): Promise<unknown> {
  if (path instanceof URL && more.length === 0) {
    try {
      const found = statSync(path);
      if (found.isFile() && found.size <= mostBytes) return Promise.resolve(readFileSync(path));
    } catch {
      // The usual way reports what is wrong.
    }
  }
  return Reflect.apply(inPool, this, [path, ...more]) as Promise<unknown>;
}

Reflect.set(fs.promises, 'readFile', readFile);
