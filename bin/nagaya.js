#!/usr/bin/env node
// The `nagaya` command of a checkout and of an installed package. It is committed, so that npm can link it before anything
// is built: `npx nagaya` in a fresh checkout would otherwise leave a broken link behind, and fail after the build as well.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const command = new URL('../dist/daemon/cli/nagaya.js', import.meta.url);

if (existsSync(command)) {
  await import(command.href);
} else {
  const folder = fileURLToPath(new URL('..', import.meta.url));
  process.stderr.write(`nagaya is not built yet: run \`npm ci && npm start\` in ${folder}\n`);
  process.exitCode = 1;
}
