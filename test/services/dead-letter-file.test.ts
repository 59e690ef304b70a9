// Dead letters outlive the daemon: on a disk that works, that fails and comes back, and that holds what nobody wrote.
import assert from 'node:assert/strict';
import { appendFile, chmod, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileLetters, letter, namesIn, openLetters } from '../labs/dead-letter-lab.ts';
import { until } from '../labs/log-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

test('letters are found again by the next daemon, in order and with their events, readable for their owner alone', async (t) => {
  const folder = join(await temporaryFolder(t), 'state', 'dead-letters');
  const first = await openLetters(t, folder);
  for (let n = 0; n < 20; n += 1) first.letters.add(letter(n, 'é\u2028"\n'));
  first.letters.remove(['letter-3']);
  assert.equal(await first.letters.close(5000), true);
  assert.equal((await stat(first.path)).mode & 0o777, 0o600);
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  const second = await openLetters(t, folder);
  assert.deepEqual(second.letters.ids(), first.letters.ids());
  assert.deepEqual(second.letters.get('letter-7'), letter(7, 'é\u2028"\n'));
  assert.deepEqual([...first.troubles, ...second.troubles], []);
  assert.equal('event' in (second.letters.list(undefined, 1).deadLetters[0] ?? {}), false);
});

test('a plugin that never lost an event has no file', async (t) => {
  const folder = join(await temporaryFolder(t), 'dead-letters');
  const { letters } = await openLetters(t, folder);
  assert.equal(await letters.close(1000), true);
  assert.deepEqual(await namesIn(folder), []);
});

test('a burst of letters becomes few writes, and none is lost', async (t) => {
  const folder = join(await temporaryFolder(t), 'dead-letters');
  const { letters, path } = await openLetters(t, folder);
  const inodes = new Set<number>();
  for (let n = 0; n < 1000; n += 1) {
    const began = performance.now();
    letters.add(letter(n));
    assert.ok(performance.now() - began < 200, 'adding waited for something');
    if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) inodes.add(found.ino);
  }
  await letters.close(10_000);
  assert.equal((await fileLetters(path)).letters.length, 1000);
  assert.ok(inodes.size < 200, `${String(inodes.size)} writes were seen`);
});

test('a folder that cannot be made is told once; letters stay, and are written when it can', async (t) => {
  const root = await temporaryFolder(t);
  await writeFile(join(root, 'state'), 'a file where the folder should be');
  const { letters, path, troubles } = await openLetters(t, join(root, 'state', 'dead-letters'));
  for (let n = 0; n < 5; n += 1) letters.add(letter(n));
  await until('the trouble is told', () => troubles.length > 0);
  assert.equal(letters.counts.count, 5);
  await rm(join(root, 'state'));
  await until('the letters are written', () => fileLetters(path).then(({ letters: found }) => found.length === 5, () => false), 60_000);
  assert.equal(troubles.length, 1);
});

test('a folder deleted under a running daemon comes back with the next letter', async (t) => {
  const folder = join(await temporaryFolder(t), 'state', 'dead-letters');
  const { letters, path, troubles } = await openLetters(t, folder);
  letters.add(letter(1));
  await until('the file is there', () => fileLetters(path).then(() => true, () => false));
  await rm(dirname(folder), { recursive: true });
  letters.add(letter(2));
  await until('both are there again', () => fileLetters(path).then(({ letters: found }) => found.length === 2, () => false));
  assert.deepEqual(troubles, []);
});

test('closing on a disk that fails ends by its deadline and says that something is left behind', async (t) => {
  const root = await temporaryFolder(t);
  await writeFile(join(root, 'state'), '');
  const { letters } = await openLetters(t, join(root, 'state'));
  letters.add(letter(1));
  const began = performance.now();
  assert.equal(await letters.close(2000), false);
  assert.ok(performance.now() - began < 10_000);
});

const asides = async (folder: string): Promise<string[]> => (await namesIn(folder)).filter((name) => name.includes('.aside-'));

test('a torn file is put aside with a warning, and what is whole in it is kept and written anew', async (t) => {
  const folder = join(await temporaryFolder(t), 'dead-letters');
  const first = await openLetters(t, folder);
  for (let n = 0; n < 10; n += 1) first.letters.add(letter(n));
  await first.letters.close(5000);
  const whole = await readFile(first.path);
  await writeFile(first.path, whole.subarray(0, whole.length - 200));
  const second = await openLetters(t, folder);
  assert.deepEqual(second.letters.ids(), first.letters.ids().slice(0, 9));
  assert.match(second.troubles.join(), /is torn: 9 of 10 letters are whole: it is put aside as .*; 9 letters in it could be read/);
  assert.equal((await asides(folder)).length, 1);
  await second.letters.close(5000);
  assert.equal((await fileLetters(first.path)).letters.length, 9);
});

const headOf = (more: object): string => `${JSON.stringify({ format: 'nagaya.dead-letters', version: 1, plugin: 'test.lab', letters: 0, ...more })}\n`;

for (const [what, content, told] of [
  ['a foreign file', 'not ours at all\n', /is not one of this daemon's/],
  ['binary rubbish', Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0xc3, 0x28]), /is not one of this daemon's/],
  ['an empty file', '', /is empty/],
  ['a file of a newer daemon', headOf({ version: 2 }), /is of version 2, and this daemon reads version 1/],
  ['the file of another plugin', headOf({ plugin: 'test.other' }), /belongs to another plugin/],
  ['a letter that is none', `${headOf({ letters: 2 })}{"id":1}\n${JSON.stringify(letter(1))}\n`, /1 of 2 letters are whole/],
] as const) {
  test(`${what} is put aside, told, and never fatal`, async (t) => {
    const folder = join(await temporaryFolder(t), 'dead-letters');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'test.lab.ndjson'), content);
    const { letters, troubles, path } = await openLetters(t, folder);
    assert.match(troubles.join(), told);
    const [aside = ''] = await asides(folder);
    assert.deepEqual(await readFile(join(folder, aside)), Buffer.from(content));
    letters.add(letter(5));
    assert.equal(await letters.close(5000), true);
    assert.equal((await fileLetters(path)).letters.at(-1)?.id, 'letter-5');
  });
}

test('what is too large to be read, a folder, a link or a file nobody may read is put aside too', async (t) => {
  const root = await temporaryFolder(t);
  const limits = { deadLetters: 10, deadLetterBytes: 1 };
  await writeFile(join(root, 'precious'), 'kept');
  for (const block of ['large', 'folder', 'link', 'forbidden']) {
    const folder = join(root, block);
    const path = join(folder, 'test.lab.ndjson');
    await mkdir(folder);
    if (block === 'folder') await mkdir(path);
    else if (block === 'link') await symlink(join(root, 'precious'), path);
    else await writeFile(path, headOf({}));
    if (block === 'large') await appendFile(path, Buffer.alloc(65 * 1024 * 1024, 'x'));
    if (block === 'forbidden') await chmod(path, 0);
    const { letters, troubles } = await openLetters(t, folder, block === 'large' ? { limits } : {});
    const readable = block === 'forbidden' && process.getuid?.() === 0;
    assert.equal(troubles.length, readable ? 0 : 1, block);
    letters.add(letter(1));
    assert.equal(await letters.close(5000), true, block);
  }
  assert.equal(await readFile(join(root, 'precious'), 'utf8'), 'kept');
});

test('files put aside are few, and no other plugin\'s file is taken for one', async (t) => {
  const folder = join(await temporaryFolder(t), 'dead-letters');
  await mkdir(folder, { recursive: true });
  const neighbours = ['test.lab.ndjson.aside-x.ndjson', 'test.lab.ndjson.ndjson', 'test.lab.ndjson.0123456789abcdef.tmp.ndjson'];
  for (const name of neighbours) await writeFile(join(folder, name), '');
  for (let round = 0; round < 6; round += 1) {
    await writeFile(join(folder, 'test.lab.ndjson'), `foreign ${String(round)}`);
    await (await openLetters(t, folder)).letters.close(1000);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  const names = await namesIn(folder);
  assert.equal(names.filter((name) => name.includes('.aside-2')).length, 3);
  for (const name of neighbours) assert.ok(names.includes(name), name);
});

test('what a killed write left behind is removed', async (t) => {
  const folder = join(await temporaryFolder(t), 'dead-letters');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'test.lab.ndjson.0123456789abcdef.tmp'), 'half');
  await openLetters(t, folder);
  assert.deepEqual(await namesIn(folder), []);
});
