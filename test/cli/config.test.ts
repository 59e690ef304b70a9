// `nagaya config` and `nagaya schema`: what may be configured, what is in force and what is wrong.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { config } from '../../daemon/config/schema.ts';
import { nagaya, temporaryFolder } from '../labs/cli-process.ts';

test('a valid file is said to be valid, in words and as JSON', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'nagaya.yaml'), 'limits:\n  plugins: 7\n');
  const env = { XDG_CONFIG_HOME: folder };
  const said = await nagaya(t, ['config', 'check'], { cwd: folder, env });
  assert.equal(said.code, 0, said.stderr);
  assert.equal(said.stdout, `${join(folder, 'nagaya.yaml')} is valid\n`);
  const json = await nagaya(t, ['config', 'check', 'nagaya.yaml', '--json'], { cwd: folder, env });
  assert.deepEqual(JSON.parse(json.stdout), { valid: true, path: join(folder, 'nagaya.yaml') });
  const shown = await nagaya(t, ['config', 'show', '--json'], { cwd: folder, env });
  assert.equal((JSON.parse(shown.stdout) as { config: { limits: { plugins: number } } }).config.limits.plugins, 7);
});

test('without a file every default is shown', async (t) => {
  const folder = temporaryFolder(t);
  const shown = await nagaya(t, ['config', 'show'], { cwd: folder, env: { XDG_CONFIG_HOME: folder } });
  assert.equal(shown.code, 0);
  assert.deepEqual(JSON.parse(shown.stdout), config.parse({}));
});

test('every fault is named by its path, with the nearest known key, exit code 1', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'nagaya.json');
  writeFileSync(path, JSON.stringify({ limit: {}, limits: { plugins: 0 } }));
  const said = await nagaya(t, ['config', 'check', path]);
  assert.equal(said.code, 1);
  assert.equal(said.stdout, '');
  assert.match(said.stderr, /limit: unknown key; did you mean "limits"\?/);
  assert.match(said.stderr, /limits\.plugins: /);
  assert.match(said.stderr, /remedy: /);
  const json = await nagaya(t, ['config', 'check', path, '--json']);
  assert.equal(json.code, 1);
  const error = JSON.parse(json.stderr) as { code: string; details: { issues: { path: string }[] } };
  assert.equal(error.code, 'config_invalid');
  assert.deepEqual(error.details.issues.map((issue) => issue.path).toSorted(), ['limit', 'limits.plugins']);
  assert.equal((await nagaya(t, ['serve', '--config', path])).code, 1);
});

test('the published schemas are JSON Schemas with every key described by the code', async (t) => {
  for (const [args, key] of [
    [['schema', 'config'], 'limits'],
    [['config', 'schema'], 'limits'],
    [['schema', 'manifest', '--json'], 'ingresses'],
  ] as const) {
    const ran = await nagaya(t, args);
    assert.equal(ran.code, 0);
    const schema = JSON.parse(ran.stdout) as { $schema: string; type: string };
    assert.equal(schema.type, 'object');
    assert.match(schema.$schema, /json-schema/);
    assert.ok(ran.stdout.includes(`"${key}"`));
  }
});
