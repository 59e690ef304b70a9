// The check of import directions finds each kind of violation, planted in a small project, and names where it is.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { imports } from '../../scripts/check/imports.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

async function faultsOf(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  dependencies: readonly string[] = [],
): Promise<readonly string[]> {
  const root = await temporaryFolder(t);
  await writeTree(root, {
    'package.json': { dependencies: Object.fromEntries(dependencies.map((name) => [name, '1'])) },
    ...files,
  });
  return imports.run(root);
}

test('what follows the arrows is let through', async (t) => {
  const faults = await faultsOf(t, {
    'protocol/shape.ts': "import { z } from 'zod';\nimport { randomUUID } from 'node:crypto';",
    'protocol/client/client.ts': "import type { Shape } from '../shape.ts';\nimport { connect } from 'node:net';",
    'workers/cell.ts': "import type { Shape } from '../protocol/shape.ts';\nimport { wrap } from 'comlink';",
    'daemon/cells/thread.ts':
      "import type { Cell } from '../../workers/cell.ts';\nimport { wrap } from 'comlink';\nimport '../../protocol/shape.ts';",
  });
  assert.deepEqual(faults, []);
});

const violations: readonly [what: string, files: Readonly<Record<string, string>>, fault: RegExp][] = [
  [
    'the protocol importing the daemon',
    { 'protocol/a.ts': "import '../daemon/b.ts';", 'daemon/b.ts': '' },
    /^protocol\/a\.ts:1 imports \.\.\/daemon\/b\.ts; protocol may import nothing from daemon$/,
  ],
  [
    'a cell importing the daemon, be it only a type',
    { 'workers/a.ts': "\nimport type { B } from '../daemon/b.ts';", 'daemon/b.ts': '' },
    /^workers\/a\.ts:2 .*workers may import nothing from daemon$/,
  ],
  [
    "the daemon importing a cell's code",
    { 'daemon/a.ts': "import { type B } from '../workers/b.ts';", 'workers/b.ts': '' },
    /^daemon\/a\.ts:1 .*at run time; daemon may only "import type" from workers$/,
  ],
  [
    "the daemon importing a cell's code later",
    { 'daemon/a.ts': "export const b = () => import('../workers/b.ts');", 'workers/b.ts': '' },
    /^daemon\/a\.ts:1 .*at run time/,
  ],
  [
    'a dependency outside its edge',
    { 'daemon/control/a.ts': "export { wrap } from 'comlink';" },
    /^daemon\/control\/a\.ts:1 imports comlink; only daemon\/cells\/ and workers\/ may$/,
  ],
  [
    'a dependency without an edge',
    { 'daemon/a.ts': "import x from '@some/package/deep';" },
    /^daemon\/a\.ts:1 imports @some\/package, which has no edge/,
  ],
  [
    'the protocol doing input and output',
    { 'protocol/a.ts': "import { open } from 'node:fs/promises';" },
    /^protocol\/a\.ts:1 .*no input or output outside protocol\/client\//,
  ],
  [
    "a module of Node's without its prefix",
    { 'daemon/a.ts': "import { open } from 'fs';" },
    /^daemon\/a\.ts:1 imports fs; write node:fs$/,
  ],
  [
    'an import without its ending',
    { 'daemon/a.ts': "import './b';", 'daemon/b.ts': '' },
    /^daemon\/a\.ts:1 imports \.\/b; name the file with its \.ts ending$/,
  ],
  [
    'a file that is not there',
    { 'daemon/a.ts': "import './b.ts';" },
    /^daemon\/a\.ts:1 imports \.\/b\.ts, which does not exist$/,
  ],
  [
    'a schema library reached from a cell by a detour',
    {
      'workers/a.ts': "import '../protocol/b.ts';",
      'protocol/b.ts': "import './c.ts';",
      'protocol/c.ts': "import 'zod';",
    },
    /^workers\/a\.ts reaches zod at run time: workers\/a\.ts → protocol\/b\.ts → protocol\/c\.ts → zod$/,
  ],
  [
    'a wrong arrow between two rooms',
    { 'daemon/dispatch/a.ts': "import '../services/b.ts';", 'daemon/services/b.ts': '' },
    /^daemon\/dispatch\/a\.ts:1 imports daemon\/services; daemon\/dispatch may import cells, /,
  ],
  [
    'an arrow that is for types, used at run time',
    { 'daemon/operations/a.ts': "import { b } from '../host/b.ts';", 'daemon/host/b.ts': '' },
    /^daemon\/operations\/a\.ts:1 imports daemon\/host at run time; daemon\/operations may only "import type"/,
  ],
  [
    'a room that nobody has named',
    { 'daemon/attic/a.ts': "import '../time/b.ts';", 'daemon/time/b.ts': '' },
    /^daemon\/attic\/a\.ts:1 is in daemon\/attic, which is no room/,
  ],
  [
    'a cycle',
    {
      'daemon/a.ts': "import './b.ts';",
      'daemon/b.ts': "import type { C } from './c.ts';",
      'daemon/c.ts': "import './a.ts';",
    },
    /^daemon\/a\.ts is part of a cycle: daemon\/a\.ts → daemon\/b\.ts → daemon\/c\.ts → daemon\/a\.ts$/,
  ],
];

for (const [what, files, fault] of violations) {
  test(`${what} is found`, async (t) => {
    const faults = await faultsOf(t, files);
    assert.equal(faults.length, 1, faults.join('\n'));
    assert.match(faults[0] ?? '', fault);
  });
}

test('a dependency that nothing imports is found', async (t) => {
  assert.deepEqual(await faultsOf(t, { 'daemon/a.ts': '' }, ['yaml']), [
    'package.json depends on yaml, which nothing imports',
  ]);
});
