// `nagaya mcp add`: a server is one command away, and what went wrong with one is said together with what to do.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { serve } from '../labs/cli-process.ts';

const program = fileURLToPath(new URL('../fixtures/mcp/servers/misbehaving.mjs', import.meta.url));
const timeoutMs = 60_000;

test('a server is added, called, taken away and added again; one that does not start says how to go on', async (t) => {
  const daemon = await serve(t, []);
  const invalid = await daemon.nagaya(['mcp', 'add', 'Echo', '--env', '=', '--', process.execPath, program]);
  assert.match(invalid.stderr, /env/);
  const added = await daemon.nagaya(['mcp', 'add', 'Echo', '--', process.execPath, program], { timeoutMs });
  assert.match(added.stdout, /^echo runs and has \d+ tools; its plugin\.json is in \/.*\/mcp\/servers\/echo$/m);
  assert.match((await daemon.nagaya(['call', 'echo', 'echo', '{"message":"hi"}'])).stdout, /"text": "hi"/);
  const again = await daemon.nagaya(['mcp', 'add', 'echo', '--', process.execPath, program]);
  assert.match(again.stderr, /There is a plugin echo already[^]*nagaya unload echo/);
  await daemon.nagaya(['unload', 'echo'], { timeoutMs });
  const failing = ['echo', '--', process.execPath, program, 'exits at start'];
  const refused = await daemon.nagaya(['mcp', 'add', ...failing, '--json']);
  const file = added.stdout.trim().split(' ').at(-1) ?? '';
  const before = await readFile(join(file, 'plugin.json'), 'utf8');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /A server of that name was added before[^]*nagaya load [^]*--replace/);
  assert.equal(await readFile(join(file, 'plugin.json'), 'utf8'), before, 'it stays as it was');
  await daemon.nagaya(['load', file, '--start'], { timeoutMs });
  assert.match((await daemon.nagaya(['call', 'echo', 'echo', '{"message":"hi"}'])).stdout, /"text": "hi"/);
  await daemon.nagaya(['unload', 'echo'], { timeoutMs });
  const same = await daemon.nagaya(['mcp', 'add', 'Echo', '--', process.execPath, program], { timeoutMs });
  assert.equal(same.code, 0, same.stderr);
  await daemon.nagaya(['unload', 'echo'], { timeoutMs });
  const other = await daemon.nagaya(['mcp', 'add', '--replace', ...failing], { timeoutMs });
  assert.notEqual(other.code, 0);
  assert.match(other.stderr, /exit code 3\. It stays loaded\. [^]*`nagaya logs echo`[^]*`nagaya unload echo`/);
  const { stdout } = await daemon.nagaya(['explain', 'echo']);
  assert.doesNotMatch(stdout, /inputs? of/, 'no worker has failed');
});
