// `nagaya check` finds what is wrong with a plugin without running any of it.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { type Cleanup, examplesFolder, nagaya, temporaryFolder } from '../labs/cli-process.ts';

interface Report {
  readonly valid: boolean;
  readonly plugin: { readonly id: string } | null;
  readonly issues: readonly { readonly path: string; readonly message: string }[];
  readonly notes: readonly string[];
}

const good = { schemaVersion: 1, id: 'a', name: 'A', version: '1.0.0', entry: './index.js' };

async function check(
  t: Cleanup,
  manifest: unknown,
  files: Readonly<Record<string, string>> = { 'index.js': 'export const tools = {};' },
): Promise<{ code: number | null; report: Report; folder: string }> {
  const folder = join(temporaryFolder(t), 'plugin');
  mkdirSync(join(folder, 'lib'), { recursive: true });
  writeFileSync(join(folder, 'plugin.json'), typeof manifest === 'string' ? manifest : JSON.stringify(manifest));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
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
  const { code, report } = await check(
    t,
    { ...good, entrypoint: './x.js', service: { ingresses: [{ name: 'in', kinds: [] }] } },
    { 'index.js': 'export const service = { start() {}, handleIngress() {} };' },
  );
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
  const { code, report } = await check(
    t,
    {
      ...good,
      service: { ingresses: [{ name: 'in', kinds: ['k'], payloadSchema: { type: 'objekt' } }] },
      tools: [{ name: 'fine' }, { name: 'broken', inputSchema: { $ref: '#/nowhere' }, outputSchema: { pattern: '(' } }],
    },
    {
      'index.js':
        'export const service = { start() {}, handleIngress() {} }; export const tools = { fine() {}, broken() {} };',
    },
  );
  assert.equal(code, 1);
  assert.equal(report.plugin?.id, 'a');
  assert.deepEqual(
    report.issues.map(({ path }) => path),
    ['service.ingresses[0].payloadSchema', 'tools[1].inputSchema', 'tools[1].outputSchema'],
  );
  const [type, reference, pattern] = report.issues.map(({ message }) => message);
  assert.match(
    type ?? '',
    /^is not a JSON Schema that compiles: type must be "array", .*, but it is another text; type must be a list, but it is a text$/,
  );
  assert.match(reference ?? '', /^is not a JSON Schema that compiles: .*#\/nowhere/);
  assert.match(pattern ?? '', /^is not a JSON Schema that compiles: .*regular expression/);
});

for (const [what, files, expected] of [
  [
    'does not parse',
    { 'index.js': 'export const tools = {\n  greet() { return 1; },\n};\nexport const a = ;\n' },
    /^cannot be imported: index\.js:4:18: SyntaxError: /,
  ],
  [
    'does not parse from its first line on',
    { 'index.js': 'const a = ;\nexport const tools = {};\n' },
    /^cannot be imported: index\.js:1:11: SyntaxError: /,
  ],
  [
    'does not parse, in a package of modules',
    { 'package.json': '{"type":"module"}', 'index.js': '\nlet a; let a;\n' },
    /^cannot be imported: index\.js:2:12: SyntaxError: /,
  ],
  [
    'ends too soon',
    { 'index.js': 'export const tools = {\n' },
    /^cannot be imported: index\.js:2:1: SyntaxError: Unexpected end of input$/,
  ],
  [
    'imports what does not parse',
    { 'index.js': 'import "./lib/part.js";', 'lib/part.js': '\n\nawait = 3; export {};\n' },
    /^cannot be imported: lib\/part\.js:3:7: SyntaxError: /,
  ],
  [
    'imports what is not exported',
    { 'index.js': 'import { nope } from "./lib/part.js";', 'lib/part.js': 'export const yes = 1;' },
    /^cannot be imported: index\.js:1:10: SyntaxError: .*'nope'/,
  ],
  [
    'imports what is not there',
    { 'index.js': 'import "not-installed";' },
    /^cannot be imported: index\.js:1:8: Error \[ERR_MODULE_NOT_FOUND\]: Cannot find package 'not-installed' imported from \/.*\/index\.js$/,
  ],
] as const) {
  test(`an entry that ${what} is a fault with its place`, async (t) => {
    const { code, report } = await check(t, good, files);
    assert.equal(code, 1);
    assert.deepEqual(
      report.issues.map(({ path }) => path),
      ['entry'],
    );
    assert.match(report.issues[0]?.message ?? '', expected);
  });
}

for (const [what, manifest, source, expected] of [
  [
    'a service is exported under a misspelt name',
    { service: { ingresses: [{ name: 'in', kinds: ['k'] }] } },
    'export const sevice = {};',
    ['exports no `service`, which plugin.json declares; it exports `sevice`: did you mean `service`?'],
  ],
  [
    'nothing is exported',
    { tools: [{ name: 'greet' }] },
    'const tools = {}; export {};',
    ['exports no `tools`, which plugin.json declares; it exports nothing'],
  ],
  [
    'something else is exported',
    { profiles: [{ name: 'chat' }] },
    'export const tools = {}; export function main() {}',
    ['exports no `profiles`, which plugin.json declares; it exports `main`, `tools`'],
  ],
  [
    'two parts are missing',
    { service: { ingresses: [{ name: 'in', kinds: ['k'] }] }, tools: [{ name: 'greet' }] },
    'export * from "./lib/part.js";',
    [
      'exports no `service`, which plugin.json declares; it exports `tool`',
      'exports no `tools`, which plugin.json declares; it exports `tool`: did you mean `tools`?',
    ],
  ],
] as const) {
  test(`an entry is held against its manifest: ${what}`, async (t) => {
    const { code, report } = await check(
      t,
      { ...good, ...manifest },
      { 'index.js': source, 'lib/part.js': 'export const tool = {}; throw new Error("it was run");' },
    );
    assert.equal(code, 1);
    assert.deepEqual(
      report.issues,
      expected.map((message) => ({ path: 'entry', message })),
    );
  });
}

const tool = { tools: [{ name: 'greet' }] };
const service = { service: { ingresses: [{ name: 'in', kinds: ['k'] }] } };
const profile = { profiles: [{ name: 'chat' }] };
const sdk = {
  'node_modules/nagaya/package.json': '{"type":"module","exports":{"./sdk":"./sdk.js"}}',
  'node_modules/nagaya/sdk.js':
    'export const defineService = (given) => given; export const defineTool = defineService;',
};

for (const [what, manifest, source, expected] of [
  [
    'a tool has no function',
    tool,
    'export const tools = {};',
    ['exports no function `tools.greet`, which plugin.json declares'],
  ],
  [
    'a tool is misspelt',
    tool,
    'export const tools = { gret() {} };',
    ['exports no function `tools.greet`, which plugin.json declares; `tools` has `gret`: did you mean `greet`?'],
  ],
  [
    'a tool is no function',
    tool,
    'const tools = { greet: 42 }; export { tools };',
    ['exports `tools.greet`, which must be a function'],
  ],
  ['the tools are no object', tool, 'export function tools() {}', ['exports `tools`, which must be an object']],
  [
    'a service has no handleIngress',
    service,
    'import { defineService } from "nagaya/sdk"; export const service = defineService({ start() {}, handleIngres() {} });',
    [
      'exports no function `service.handleIngress`, which a service must have; `service` has `handleIngres`: did you mean `handleIngress`?',
    ],
  ],
  [
    'a profile has no onInput',
    profile,
    'export default { profiles: { chat: { oninput() {} } } };',
    [
      'exports no function `profiles.chat.onInput`, which plugin.json declares; `profiles.chat` has `oninput`: did you mean `onInput`?',
    ],
  ],
  [
    'a profile is missing',
    profile,
    'export const profiles = { chatt: { onInput() {} } };',
    [
      'exports no profile `profiles.chat` with a function `onInput`, which plugin.json declares; `profiles` has `chatt`: did you mean `chat`?',
    ],
  ],
  [
    'several are missing in one pass',
    { ...service, ...tool, ...profile },
    'export const service = { start() {} }; export const tools = {}; export const profile = {};',
    [
      'exports no `profiles`, which plugin.json declares; it exports `profile`: did you mean `profiles`?',
      'exports no function `service.handleIngress`, which a service must have',
      'exports no function `tools.greet`, which plugin.json declares',
    ],
  ],
] as const) {
  test(`what an export holds is held against the manifest: ${what}`, async (t) => {
    const { code, report } = await check(t, { ...good, ...manifest }, { ...sdk, 'index.js': source });
    assert.equal(code, 1);
    assert.deepEqual(
      report.issues,
      expected.map((message) => ({ path: 'entry', message })),
    );
  });
}

for (const [what, manifest, source] of [
  ['is there', tool, 'const greet = () => 1; export const tools = { greet };'],
  [
    'is made by the SDK',
    { ...service, ...tool },
    'import { defineService, defineTool } from "nagaya/sdk"; const greet = defineTool(() => 1); async function start() {} const service = defineService({ start, "handleIngress": () => 1 }); export { service }; export const tools = { greet };',
  ],
  ['is added later', tool, 'export const tools = {}; tools.greet = () => 1;'],
  ['is computed', tool, 'export const tools = Object.fromEntries([["greet", () => 1]]);'],
  ['is spread', tool, 'import part from "./lib/part.js"; export const tools = { ...part };'],
  ['is of a class', service, 'class Service { start() {} handleIngress() {} } export const service = new Service();'],
  ['is exported by another file', tool, 'export { default as tools } from "./lib/part.js";'],
] as const) {
  test(`what an export holds and ${what} is no fault`, async (t) => {
    const { code, report } = await check(
      t,
      { ...good, ...manifest },
      { ...sdk, 'index.js': source, 'lib/part.js': 'export default {};' },
    );
    assert.deepEqual([code, report.issues], [0, []]);
  });
}

test('what an entry in TypeScript exports is held against the manifest', async (t) => {
  const { report } = await check(
    t,
    { ...good, ...tool, entry: './index.ts' },
    {
      'package.json': '{"type":"module"}',
      'index.ts': 'export const tools: Record<string, () => void> = { gret(): void {} };\n',
    },
  );
  assert.match(
    report.issues[0]?.message ?? '',
    /^exports no function `tools\.greet`, which plugin\.json declares; .*did you mean `greet`/,
  );
});

test('a default export may hold what the manifest declares', async (t) => {
  const { code, report } = await check(
    t,
    { ...good, tools: [{ name: 'greet' }] },
    { 'index.js': 'export default { tools: { greet() {} } };' },
  );
  assert.deepEqual([code, report.issues], [0, []]);
});

test('one pass finds the faults of the manifest, of a schema, and of the entry', async (t) => {
  const manifest = {
    ...good,
    entrypoint: './x.js',
    tools: [{ name: 'greet', timeoutMs: -1, inputSchema: { type: 'objekt' } }],
  };
  const { code, report } = await check(t, manifest, { 'index.js': 'export const tool = {};' });
  assert.equal(code, 1);
  assert.deepEqual(report.issues.map(({ path }) => path).toSorted(), [
    'entry',
    'entrypoint',
    'tools[0].inputSchema',
    'tools[0].timeoutMs',
  ]);
});

test('an entry in TypeScript that does not parse is a fault with its place', async (t) => {
  const { report } = await check(
    t,
    { ...good, entry: './index.ts' },
    { 'package.json': '{"type":"module"}', 'index.ts': 'export const tools: object = {};\nexport const b: = 2;\n' },
  );
  assert.match(report.issues[0]?.message ?? '', /^cannot be imported: index\.ts:2:\d+: /);
});

for (const [what, source] of [
  [
    'a top-level await, and imports of its own',
    'import { once } from "node:events"; import part from "./part.cjs"; await once; export const tools = { part };',
  ],
  ['CommonJS that Node would load', 'with (Math) exports.tools = { abs };'],
] as const) {
  test(`${what} is no fault`, async (t) => {
    const { code, report } = await check(t, good, { 'index.js': source, 'part.cjs': 'throw new Error("it was run");' });
    assert.deepEqual([code, report.issues], [0, []]);
  });
}

test('nothing of the plugin is run', async (t) => {
  const marker = join(temporaryFolder(t), 'ran');
  const { code } = await check(t, good, {
    'index.js': `import './lib/part.js'; import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(marker)}, ''); while (true);`,
    'lib/part.js': `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(marker)}, ''); while (true);`,
  });
  assert.equal(code, 0);
  assert.equal(existsSync(marker), false);
});

test('a plugin with profiles is no fault, and needs no note', async (t) => {
  const { code, report } = await check(
    t,
    { ...good, profiles: [{ name: 'chat' }] },
    { 'index.js': 'export const profiles = { chat: { onInput() {} } };' },
  );
  assert.equal(code, 0);
  assert.equal(report.valid, true);
  assert.deepEqual(report.notes, []);
});

test('a manifest cannot write to the terminal by what it holds', async (t) => {
  const folder = join(temporaryFolder(t), 'plugin');
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'plugin.json'),
    JSON.stringify({ ...good, version: '\u001b[2J1', 'key\u001b]0;x\u0007': 1 }),
  );
  const ran = await nagaya(t, ['check', folder], { env: { FORCE_COLOR: '0' } });
  assert.equal(ran.code, 1);
  assert.doesNotMatch(ran.stdout, /(?!\n)\p{Cc}/u);
});

test('a plugin that hosts an MCP server is shown with its program or its address', async (t) => {
  const base = { schemaVersion: 1, id: 'a', name: 'A', version: '1.0.0' };
  for (const [mcp, shown] of [
    [{ command: 'npx', args: ['-y', 'some-server'] }, 'npx'],
    [{ url: 'https://mcp.example/mcp' }, 'https://mcp.example/mcp'],
  ] as const) {
    const { report, folder } = await check(t, { ...base, mcp });
    assert.deepEqual([report.valid, (report.plugin as { server?: string } | null)?.server], [true, shown]);
    const { stdout } = await nagaya(t, ['check', folder]);
    assert.ok(stdout.startsWith(`a 1.0.0  an MCP server (${shown})`), stdout);
  }
});
