// A command that only talks to the daemon loads little: a person waits for it, and a shell asks at every press of Tab.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { commandFile, startProcess, temporaryFolder } from './cli-process.ts';

for (const args of [['status'], ['deliver', 'x', '1'], ['call', 'x', 'y'], ['logs'], ['watch'], ['--help'], ['__complete', 'st']]) {
  test(`nagaya ${args.join(' ')} loads neither the schemas nor the host`, async (t) => {
    const folder = temporaryFolder(t);
    const hooks = join(folder, 'hooks.mjs');
    writeFileSync(hooks, `import { writeSync } from 'node:fs';
export async function load(url, context, next) { writeSync(2, 'loaded ' + url + '\\n'); return next(url, context); }`);
    const script = join(folder, 'script.mjs');
    writeFileSync(script, `import { register } from 'node:module';
register(${JSON.stringify(pathToFileURL(hooks).href)});
await import(${JSON.stringify(pathToFileURL(commandFile).href)});`);
    const ran = await startProcess(t, process.execPath, [script, ...args], { env: { NAGAYA_SOCKET: join(folder, 'none') } }).ended;
    const loaded = ran.stderr.split('\n').filter((line) => line.startsWith('loaded file:'));
    assert.ok(loaded.some((url) => url.endsWith('/daemon/cli/program.js')), ran.stderr);
    assert.deepEqual(loaded.filter((url) => /\/zod\/|\/pino\/|\/piscina\/|\/ajv\/|\/yaml\/|dist\/workers|daemon\/(?!cli\/)/.test(url)), []);
  });
}
