// What is printed for pasting works in a shell that knows nothing of the present one.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { pasteable, shellWord } from '../../daemon/cli/install.ts';
import { commandFile, temporaryFolder } from '../labs/cli-process.ts';

const nodeFolder = dirname(process.execPath);

test('any word comes through a shell as it is', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
        { minLength: 1, maxLength: 5 },
      ),
      (words) => {
        const printed = execFileSync(
          '/bin/sh',
          ['-c', `for word in ${words.map(shellWord).join(' ')}; do printf '%s\\0' "$word"; done`],
          { encoding: 'utf8' },
        );
        assert.deepEqual(printed.split('\0').slice(0, -1), words);
      },
    ),
    { numRuns: 50 },
  );
});

test('nagaya on the PATH is named where it is this installation, and node with the file where not', (t) => {
  const folder = temporaryFolder(t);
  assert.equal(pasteable(['status'], undefined, { PATH: nodeFolder }), `node ${commandFile} status`);
  assert.equal(pasteable(['status'], undefined, { PATH: folder }), `${process.execPath} ${commandFile} status`);
  assert.equal(pasteable(['status'], undefined, {}), `${process.execPath} ${commandFile} status`);

  // As an installation by npm leaves it.
  chmodSync(commandFile, 0o755);
  symlinkSync(commandFile, join(folder, 'nagaya'));
  assert.equal(pasteable(['status'], undefined, { PATH: `relative:${folder}:${nodeFolder}` }), 'nagaya status');

  const other = join(folder, 'other');
  mkdirSync(other);
  writeFileSync(join(other, 'nagaya'), '', { mode: 0o755 });
  assert.equal(
    pasteable(['status'], undefined, { PATH: `${other}:${folder}:${nodeFolder}` }),
    `node ${commandFile} status`,
  );
});

test('a command found only on the PATH of an npm script is not counted on', (t) => {
  const bin = join(temporaryFolder(t), 'node_modules', '.bin');
  mkdirSync(bin, { recursive: true });
  chmodSync(commandFile, 0o755);
  symlinkSync(commandFile, join(bin, 'nagaya'));
  assert.equal(pasteable(['status'], undefined, { PATH: `${bin}:${nodeFolder}` }), `node ${commandFile} status`);
});

test('the socket is named where another shell would look elsewhere', () => {
  const env = { PATH: '', XDG_RUNTIME_DIR: '/run/user/7' };
  assert.doesNotMatch(pasteable(['ping'], '/run/user/7/nagaya/nagaya.sock', env), /--socket/);
  assert.match(pasteable(['ping'], '/tmp/a b.sock', env), / --socket '\/tmp\/a b\.sock'$/);
  // Only this shell has the variable.
  assert.match(
    pasteable(['ping'], '/tmp/x.sock', { ...env, NAGAYA_SOCKET: '/tmp/x.sock' }),
    / --socket \/tmp\/x\.sock$/,
  );
});
