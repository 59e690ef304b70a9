// `nagaya check` finds what is wrong with a plugin without running any of it.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Cleanup, examplesFolder, nagaya, temporaryFolder } from './cli-process.ts';

interface Report {
  readonly valid: boolean;
  readonly plugin: { readonly id: string } | null;
  readonly issues: readonly { readonly path: string; readonly message: string }[];
  readonly notes: readonly string[];
}

const good = { schemaVersion: 1, id: 'a', name: 'A', version: '1.0.0', entry: './index.js' };

async function check(t: Cleanup, manifest: unknown, entry = 'export const tools = {};'): Promise<{ code: number | null; report: Report; folder: string }> {
  const folder = join(temporaryFolder(t), 'plugin');
  mkdirSync(folder);
  writeFileSync(join(folder, 'plugin.json'), typeof manifest === 'string' ? manifest : JSON.stringify(manifest));
  writeFileSync(join(folder, 'index.js'), entry);
  const ran = await nagaya(t, ['check', folder, '--json']);
  assert.equal(ran.stderr, '');
  return { code: ran.code, report: JSON.parse(ran.stdout) as Report, folder };
}

for (const name of readdirSync(examplesFolder)) {
  test(`the sample ${name} is valid`, async (t) => {
    const ran = await nagaya(t, ['check', join(examplesFolder, name)]);
    assert.equal(ran.code, 0, ran.stdout);
    assert.match(ran.stdout, /^example\.[^]*valid/);
  });
}

test('a fault of the manifest is named by its path', async (t) => {
  const { code, report } = await check(t, { ...good, entrypoint: './x.js', service: { ingresses: [{ name: 'in', kinds: [] }] } });
  assert.equal(code, 1);
  assert.equal(report.valid, false);
  assert.equal(report.plugin, null);
  assert.deepEqual(report.issues.map(({ path }) => path).toSorted(), ['entrypoint', 'service.ingresses[0].kinds']);
});

test('a manifest that is no JSON, is missing, or whose entry is missing, is a fault', async (t) => {
  assert.equal((await check(t, '{"schemaVersion": 1,')).report.valid, false);
  const noEntry = await check(t, { ...good, entry: './other.js' });
  assert.equal(noEntry.report.issues[0]?.path, 'entry');
  const ran = await nagaya(t, ['check', temporaryFolder(t)]);
  assert.equal(ran.code, 1);
  assert.match(ran.stdout, /fault .*plugin\.json.*missing/);
});

test('a JSON Schema that does not compile is named by where it stands', async (t) => {
  const { code, report } = await check(t, {
    ...good,
    service: { ingresses: [{ name: 'in', kinds: ['k'], payloadSchema: { type: 'objekt' } }] },
    tools: [{ name: 'fine' }, { name: 'broken', inputSchema: { $ref: '#/nowhere' }, outputSchema: { pattern: '(' } }],
  });
  assert.equal(code, 1);
  assert.equal(report.plugin?.id, 'a');
  assert.deepEqual(report.issues.map(({ path }) => path), ['service.ingresses[0].payloadSchema', 'tools[1].inputSchema', 'tools[1].outputSchema']);
  for (const { message } of report.issues) assert.match(message, /is not a JSON Schema that compiles: ./);
});

test('nothing of the plugin is run', async (t) => {
  const marker = join(temporaryFolder(t), 'ran');
  const { code } = await check(t, good, `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(marker)}, ''); while (true);`);
  assert.equal(code, 0);
  assert.equal(existsSync(marker), false);
});

test('a plugin with profiles is no fault, and needs no note', async (t) => {
  const { code, report } = await check(t, { ...good, profiles: [{ name: 'chat' }] });
  assert.equal(code, 0);
  assert.equal(report.valid, true);
  assert.deepEqual(report.notes, []);
});

test('a manifest cannot write to the terminal by what it holds', async (t) => {
  const folder = join(temporaryFolder(t), 'plugin');
  mkdirSync(folder);
  writeFileSync(join(folder, 'plugin.json'), JSON.stringify({ ...good, version: '\u001b[2J1', 'key\u001b]0;x\u0007': 1 }));
  const ran = await nagaya(t, ['check', folder], { env: { FORCE_COLOR: '0' } });
  assert.equal(ran.code, 1);
  assert.doesNotMatch(ran.stdout, /(?!\n)\p{Cc}/u);
});
