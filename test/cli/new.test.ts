// `nagaya new` writes a plugin that is valid, and overwrites nothing.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nagaya, repository, temporaryFolder } from '../labs/cli-process.ts';

interface Written {
  readonly kind: string;
  readonly id: string;
  readonly folder: string;
  readonly files: readonly string[];
  readonly linked: { readonly path: string; readonly to: string };
  readonly next: readonly string[];
}

for (const kind of ['service', 'tool']) {
  for (const typescript of [false, true]) {
    const args = ['new', kind, typescript ? '--typescript' : undefined].filter((word) => word !== undefined);

    test(`nagaya ${args.join(' ')} writes a plugin that checks as valid`, async (t) => {
      const folder = join(temporaryFolder(t), 'My Plugin');
      const ran = await nagaya(t, [...args, folder, '--json']);
      assert.equal(ran.code, 0, ran.stderr);
      const written = JSON.parse(ran.stdout) as Written;
      assert.equal(written.id, 'my-plugin');
      assert.equal(written.folder, folder);
      assert.ok(written.files.includes(typescript ? 'index.ts' : 'index.js'));
      for (const file of written.files) assert.ok(existsSync(join(folder, file)), file);
      assert.equal(realpathSync(written.linked.path), realpathSync(repository));

      const checked = await nagaya(t, ['check', folder, '--json']);
      assert.equal(checked.code, 0, checked.stdout);
      assert.deepEqual(JSON.parse(checked.stdout), {
        valid: true,
        folder,
        plugin: {
          id: 'my-plugin',
          version: '0.1.0',
          entry: join(folder, typescript ? 'index.ts' : 'index.js'),
          hasService: kind === 'service',
          tools: kind === 'tool' ? ['count-words'] : [],
          profiles: [],
        },
        issues: [],
        notes: [],
        credentials: [],
      });
    });

    if (typescript) {
      test(`the TypeScript of nagaya new ${kind} has no type error`, async (t) => {
        const folder = join(temporaryFolder(t), 'typed');
        await nagaya(t, [...args, folder]);
        execFileSync(process.execPath, [join(repository, 'node_modules/typescript/bin/tsc'), '-p', folder], {
          stdio: 'pipe',
          encoding: 'utf8',
        });
      });
    }
  }
}

test('a folder that is not empty is left as it is', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'index.js'), 'mine');
  const ran = await nagaya(t, ['new', 'service', folder]);
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /is not empty[^]*remedy: Name a folder that does not exist yet, or an empty one\./);
  assert.deepEqual(readdirSync(folder), ['index.js']);
  assert.equal(readFileSync(join(folder, 'index.js'), 'utf8'), 'mine');
});

test('an empty folder is taken, and an id may be given', async (t) => {
  const folder = join(temporaryFolder(t), 'empty');
  mkdirSync(folder);
  const ran = await nagaya(t, ['new', 'tool', '.', '--id', 'example.words'], { cwd: folder });
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stdout, /wrote the tool example\.words/);
  assert.match(ran.stderr, /linked node_modules\/nagaya to/);
  assert.equal((JSON.parse(readFileSync(join(folder, 'plugin.json'), 'utf8')) as { id: string }).id, 'example.words');
});

test('an id that cannot be one is refused before anything is written', async (t) => {
  const folder = join(temporaryFolder(t), 'x');
  for (const id of ['Not An Id', '']) {
    const ran = await nagaya(t, ['new', 'service', folder, '--id', id]);
    assert.equal(ran.code, 2, ran.stderr);
    assert.match(ran.stderr, /cannot be the id of a plugin/);
    assert.equal(existsSync(folder), false);
  }
});

test("a file in the folder's place is told", async (t) => {
  const folder = join(temporaryFolder(t), 'file');
  writeFileSync(folder, '');
  const ran = await nagaya(t, ['new', 'service', folder]);
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /cannot be made/);
});

test(
  'a folder that cannot be made below one that refuses it is told, and is not tried for ever',
  { skip: process.platform === 'linux' ? false : "/proc is Linux's", timeout: 30_000 },
  async (t) => {
    const ran = await nagaya(t, ['new', 'service', '/proc/nagaya-new/deep', '--id', 'example.deep']);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /cannot be made[^]*remedy: Name a folder/);
  },
);
