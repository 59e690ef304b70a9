#!/usr/bin/env node
// The `nagaya` command of a checkout and of an installed package. It is committed, so that npm can link it before anything
// is built: `npx nagaya` in a fresh checkout would otherwise leave a broken link behind, and fail after the build as well.
// It is CommonJS because Node reads a CommonJS entry without libuv's pool of threads, whose size is fixed at its first use.
'use strict';
const { existsSync } = require('node:fs');
const { join, resolve } = require('node:path');
const { pathToFileURL } = require('node:url');

/** The same as in daemon/guardian/daemon-process.ts, where the guardian starts the daemon. */
const poolSize = '32';

const words = process.argv.slice(2);
// Only the daemon runs plugins, which share the pool with it. The guardian and the other commands need no more than Node's four threads.
if (words.includes('serve') && words.includes('--no-guardian')) process.env.UV_THREADPOOL_SIZE ??= poolSize;

const folder = resolve(__dirname, '..');
const command = join(folder, 'dist/daemon/cli/nagaya.js');

if (existsSync(command)) {
  void import(pathToFileURL(command).href);
} else {
  process.stderr.write(`nagaya is not built yet: run \`npm ci && npm start\` in ${folder}\n`);
  process.exitCode = 1;
}
