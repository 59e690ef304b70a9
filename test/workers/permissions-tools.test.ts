// A plugin's permissions hold for its tools as for its service, in every kind of tool cell.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { isolations, withTools } from '../labs/tool-lab.ts';

const ownFile = new URL('../fixtures/tools/files/plugin.json', import.meta.url).pathname;

for (const isolation of isolations) {
  test(`a ${isolation} tool reads its own folder and what is granted, and is refused the rest by name of the grant`, async (t) => {
    const folder = await temporaryFolder(t);
    const [granted, secret] = [join(folder, 'granted'), join(folder, 'secret')];
    await writeFile(granted, 'yours');
    await writeFile(secret, 'not yours');
    await withTools('files', { isolation, permissions: { fs: { read: [granted] } } }, async ({ call, refusal }) => {
      assert.match(String(await call('read', { path: ownFile })), /test\.files/);
      assert.equal(await call('read', { path: granted }), 'yours');
      const error = await refusal('read', { path: secret });
      assert.equal(error.code, 'tool_failed');
      assert.match(error.message, /permissions\.fs\.read would allow it/);
      assert.equal((await refusal('read', { path: 1 })).code, 'tool_input_invalid');
    });
  });
}
