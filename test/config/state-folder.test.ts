// Where logs and state are kept, and that they are for one user's eyes.
import assert from 'node:assert/strict';
import { chmod, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultStateFolder, prepareStateFolder } from '../../daemon/config/state-folder.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';

test('the state folder is $NAGAYA_STATE, else in $XDG_STATE_HOME, else in the home', () => {
  assert.equal(defaultStateFolder({ NAGAYA_STATE: '/s', XDG_STATE_HOME: '/x', HOME: '/h' }), '/s');
  assert.equal(defaultStateFolder({ XDG_STATE_HOME: '/x', HOME: '/h' }), '/x/nagaya');
  assert.equal(defaultStateFolder({ XDG_STATE_HOME: 'relative', HOME: '/h' }), '/h/.local/state/nagaya');
  assert.equal(defaultStateFolder({ HOME: '/h' }), '/h/.local/state/nagaya');
});

test('it is made with its parents for this user alone, and one that is there stays as it is', async (t) => {
  const folder = await temporaryFolder(t);
  const state = join(folder, 'deep', 'nagaya');
  await prepareStateFolder(state);
  assert.equal((await stat(state)).mode & 0o777, 0o700);
  await chmod(state, 0o750);
  await prepareStateFolder(state);
  assert.equal((await stat(state)).mode & 0o777, 0o750);
});

test('a file in its place is refused with what to do', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { file: '' });
  await assert.rejects(prepareStateFolder(join(folder, 'file')), {
    code: 'config_invalid',
    message: /is a file; remove it, or name another/,
  });
  await assert.rejects(prepareStateFolder(join(folder, 'file', 'below')), {
    code: 'config_invalid',
    message: /a part of its path is no folder/,
  });
});

test(
  'a folder in which none can be made is refused, and is not tried for ever',
  { skip: process.platform === 'linux' ? false : "/proc is Linux's", timeout: 10_000 },
  async () => {
    await assert.rejects(prepareStateFolder('/proc/nagaya-state/deep'), {
      code: 'config_invalid',
      message: /cannot be made/,
    });
  },
);
