// The check of the documentation finds what has drifted from the code, planted in a small project, and says where.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { docs } from '../../scripts/check/docs.ts';
import { generatedPages, requiredSections } from '../../scripts/docs/pages.ts';
import { faultIds as pluginFaultIds } from '../../daemon/faults/catalogue.ts';
import { serverFaultIds } from '../../daemon/faults/server-catalogue.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

const faultIds = [...pluginFaultIds, ...serverFaultIds];
const operationsPath = 'docs/operations.md';
const marked = (name: string, inside = ''): string => `<!-- begin:${name} -->\n${inside}\n<!-- end:${name} -->`;

/** Every page that must have sections, with all of them; the table of faults is measured, and must have every fault. */
function pagesWith(ids: readonly string[]): Record<string, string> {
  const pages: Record<string, string> = {};
  for (const [path, section] of requiredSections) {
    const inside = section === 'faults' ? ids.map((id) => `| \`${id}\` | |`).join('\n') : '';
    pages[path] = `${pages[path] ?? ''}${marked(section, inside)}\n`;
  }
  return pages;
}

async function written(root: string): Promise<void> {
  for (const { path, wanted } of await generatedPages(root)) await writeTree(root, { [path]: wanted });
}

test('pages as they were written from the code are let through, every error, operation and bound in them', async (t) => {
  const root = await temporaryFolder(t);
  await writeTree(root, pagesWith(faultIds));
  await written(root);
  assert.deepEqual(await docs.run(root), []);
  const page = (await generatedPages(root)).find(({ path }) => path === operationsPath)?.present ?? '';
  for (const row of [
    '| `queue_full` | 429 |',
    '| `service.start` | `POST /api/services/{plugin}/start` |',
    '| `limits.eventBytes` | `262144` |',
  ])
    assert(page.includes(row), row);
});

test('a section that says something else, or is missing, is found', async (t) => {
  const root = await temporaryFolder(t);
  await writeTree(root, pagesWith(faultIds));
  await written(root);
  const page = (await generatedPages(root)).find(({ path }) => path === operationsPath)?.present ?? '';
  await writeTree(root, { [operationsPath]: page.replace('| `queue_full` | 429 |', '| `queue_full` | 503 |') });
  const line = page.split('\n').findIndex((text) => text.includes('`queue_full` | 429')) + 1;
  assert.deepEqual(await docs.run(root), [
    `docs/operations.md:${String(line)} is not what the code says; run npm run docs`,
  ]);
  await writeTree(root, { [operationsPath]: page.replaceAll(':errors -->', ':mistakes -->') });
  const faults = (await docs.run(root)).join('\n');
  assert.match(faults, /asks for a section "mistakes"/);
  assert.match(faults, /lacks the section <!-- begin:errors -->/);
});

test('a fault of the kit that the table of faults does not have is found', async (t) => {
  const root = await temporaryFolder(t);
  const [missing, ...others] = faultIds;
  await writeTree(root, pagesWith(others));
  await written(root);
  assert.deepEqual(await docs.run(root), [`docs/faults.md lists no fault ${String(missing)}; run npm run docs:faults`]);
});

test('a dead link, a decision that is not listed and a command that does not exist are found where they stand', async (t) => {
  const root = await temporaryFolder(t);
  await writeTree(root, {
    ...pagesWith(faultIds),
    'README.md':
      '# Title here\n[a](docs/operations.md) [b](docs/gone.md) [c](#title-here) [d](#gone) [e](https://example.org)\n\n`nagaya stauts` and `nagaya status --color`',
    'docs/decisions/README.md': '[one](0001-one.md)',
    'docs/decisions/0001-one.md': '',
    'docs/decisions/0002-two.md': '',
  });
  await written(root);
  assert.deepEqual([...(await docs.run(root))].sort(), [
    'README.md:2 links to #gone, where no heading has that anchor',
    'README.md:2 links to docs/gone.md, which does not exist',
    'README.md:4 shows "nagaya status --color": status has no option --color',
    'README.md:4 shows "nagaya stauts": there is no command "stauts"',
    'docs/decisions/README.md does not link 0002-two.md',
  ]);
});
