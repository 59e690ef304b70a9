// Dead letters outlive the daemon in its store: found again in order, written as soon as a store that failed works
// again, and imported once from the files of an earlier version.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { letter, oldFile, oldFileOf, openLetters } from '../labs/dead-letter-lab.ts';
import { orderFault } from '../labs/store-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { until } from '../labs/until.ts';

test('letters are found again by the next daemon, in order and with their events', async (t) => {
  const folder = join(await temporaryFolder(t), 'state');
  const first = await openLetters(t, folder);
  for (let n = 0; n < 20; n += 1) first.letters.add(letter(n, 'é\u2028"\n'));
  first.letters.remove(['letter-3']);
  assert.equal(await first.close(), true);
  const second = await openLetters(t, folder);
  assert.deepEqual(second.letters.ids(), first.letters.ids());
  assert.deepEqual(second.letters.get('letter-7'), letter(7, 'é\u2028"\n'));
  assert.deepEqual([...first.troubles, ...second.troubles], []);
  assert.equal('event' in (second.letters.list(undefined, 1).deadLetters[0] ?? {}), false);
});

test('a plugin that never lost an event has nothing in the store, and opens none', async (t) => {
  const folder = join(await temporaryFolder(t), 'state');
  const { store, close } = await openLetters(t, folder);
  assert.equal(store.health().state, 'unused');
  assert.equal(await close(), true);
  assert.equal(existsSync(folder), false);
});

test('a burst of letters holds nobody up, and is one commit for each turn', async (t) => {
  const { letters, store } = await openLetters(t, join(await temporaryFolder(t), 'state'));
  for (let n = 0; n < 1000; n += 1) {
    const began = performance.now();
    letters.add(letter(n));
    assert.ok(performance.now() - began < 200, 'adding waited for something');
  }
  assert.equal(await letters.written(), true);
  assert.equal(await store.kept.count('letters', { from: '', to: 'z' }), 1000);
  assert.ok(store.health().counters.commits <= 3);
});

test('a store that fails is told once; letters stay, and are written when it works again', async (t) => {
  const folder = join(await temporaryFolder(t), 'state');
  const { letters, troubles, store } = await openLetters(t, folder);
  orderFault('store-full*4');
  for (let n = 0; n < 5; n += 1) letters.add(letter(n));
  await until('the trouble is told', () => troubles.length > 0);
  letters.add(letter(5));
  letters.remove(['letter-0']);
  assert.equal(letters.counts.count, 5);
  await until(
    'the letters are written',
    async () => (await store.kept.count('letters', { from: '', to: 'z' })) === 5,
    60_000,
  );
  assert.equal(troubles.length, 1);
});

test('a letter of a replay takes the place of the one that was replayed, and one that was handled is gone', async (t) => {
  const folder = join(await temporaryFolder(t), 'state');
  const { letters, close } = await openLetters(t, folder);
  for (let n = 0; n < 3; n += 1) letters.add(letter(n));
  for (const n of [0, 1, 2]) letters.replayBegan(`letter-${String(n)}`, `event-${String(n)}`);
  assert.deepEqual(
    letters.list(undefined, 10).deadLetters.map(({ replaying }) => replaying),
    ['event-0', 'event-1', 'event-2'],
  );
  letters.replayEnded('letter-0', 'handled');
  letters.replayEnded('letter-1', 'deadLettered');
  letters.add({ ...letter(7), replayOf: 'letter-1' });
  letters.replayEnded('letter-2', 'discarded');
  assert.deepEqual(letters.ids(), ['letter-2', 'letter-7']);
  assert.equal(letters.replayingAs('letter-2'), undefined);
  await close();
  assert.deepEqual((await openLetters(t, folder)).letters.ids(), ['letter-2', 'letter-7']);
});

async function withOldFile(folder: string, content: string | Buffer): Promise<string> {
  const path = oldFileOf(folder);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

test('the file of an earlier version is imported once, and goes', async (t) => {
  const folder = join(await temporaryFolder(t), 'state');
  const olds = [letter(1), letter(2)].map(({ reason: _reason, ...old }) => old);
  const path = await withOldFile(folder, oldFile(olds));
  const first = await openLetters(t, folder);
  assert.deepEqual(first.letters.ids(), ['letter-1', 'letter-2']);
  assert.equal(existsSync(path), false);
  first.letters.remove(['letter-1']);
  await first.close();
  assert.deepEqual((await openLetters(t, folder)).letters.ids(), ['letter-2']);
  assert.deepEqual(first.troubles, []);
});

test('a file that cannot be imported now, because the store is full, stays and is imported by the next daemon', async (t) => {
  const folder = join(await temporaryFolder(t), 'state');
  const path = await withOldFile(folder, oldFile([letter(1)]));
  orderFault('store-full*2');
  const first = await openLetters(t, folder);
  assert.deepEqual(first.letters.ids(), ['letter-1']);
  assert.equal(existsSync(path), true);
  orderFault('store-full*0');
  await first.close();
  const second = await openLetters(t, folder);
  assert.deepEqual(second.letters.ids(), ['letter-1']);
  assert.equal(existsSync(path), false);
});

const torn = oldFile([letter(1), letter(2)]);
for (const [what, content, told, ids] of [
  ['a foreign file', 'not ours at all\n', /is not one of this daemon's/, []],
  ['binary rubbish', Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0xc3, 0x28]), /is not one of this daemon's/, []],
  ['an empty file', '', /is empty/, []],
  ['a file of a newer version', oldFile([], { version: 2 }), /is of version 2, and this daemon reads version 1/, []],
  ['the file of another plugin', oldFile([], { plugin: 'test.other' }), /belongs to another plugin/, []],
  [
    'a torn file',
    torn.slice(0, -100),
    /is torn: 1 of 2 letters are whole; 1 letters in it could be read/,
    ['letter-1'],
  ],
] as const) {
  test(`${what} is told and put aside, and what is whole in it is imported`, async (t) => {
    const folder = join(await temporaryFolder(t), 'state');
    const path = await withOldFile(folder, content);
    const { letters, troubles } = await openLetters(t, folder);
    assert.match(troubles.join(), told);
    assert.deepEqual(letters.ids(), ids);
    assert.equal(existsSync(path), false);
    assert.deepEqual(readFileSync(`${path}.aside`), Buffer.from(content));
  });
}
