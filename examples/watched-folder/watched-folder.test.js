import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { testPlugin } from 'nagaya/sdk';

test('each step sends what the next one needs', async (t) => {
  const plugin = await testPlugin(import.meta.dirname);
  t.after(() => plugin.close());
  await plugin.emit('inbox', { path: '/home/ada/inbox/letter.txt', bytes: 12, modifiedAt: '2026-05-01T07:00:00.000Z' });
  await plugin.deliver({ name: 'letter.txt', words: 3 }, { ingress: 'answers', kind: 'counted' });
  const sent = await plugin.sent();
  assert.deepEqual(
    sent.map(({ output, body, key }) => [output, body, key]),
    [
      ['words', { path: '/home/ada/inbox/letter.txt' }, 'letter.txt'],
      ['books', { name: 'letter.txt', words: 3 }, undefined],
    ],
  );
});

test('goes from the file to the books', async (t) => {
  const inbox = await mkdtemp(join(tmpdir(), 'inbox-'));
  t.after(() => rm(inbox, { recursive: true, force: true }));
  const plugin = await testPlugin(import.meta.dirname, {
    outputs: 'delivered',
    overrides: { sources: { inbox: { paths: [inbox], settleMs: 100 } } },
  });
  t.after(() => plugin.close());
  await writeFile(join(inbox, 'one.txt'), 'three small words');
  await writeFile(join(inbox, 'two.txt'), 'and two');
  let books;
  while (books?.files !== 2) {
    await delay(50, undefined, { signal: t.signal });
    ({ books } = await plugin.state());
  }
  assert.equal(books.words, 5);
});
