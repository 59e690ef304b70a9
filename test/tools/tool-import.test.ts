// A module that does not import costs the calls that wait for it, and nothing after them.
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PlainError } from '../../protocol/cell/plain-error.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { isolations, withTools } from '../labs/tool-lab.ts';
import { until } from '../labs/until.ts';

for (const isolation of isolations) {
  for (const fixture of ['hangs-at-import', 'loops-at-import']) {
    test(`a module that ${fixture.replaceAll('-', ' ')} is a timeout of that ${isolation} call, and no slot is lost`, async (context) => {
      const marker = join(await temporaryFolder(context), 'marker');
      await writeFile(marker, '');
      await withTools(
        fixture,
        { isolation, limits: { toolThreads: 1 }, env: { FIXTURE_TOKEN: marker } },
        async ({ call, refusal, failures }) => {
          let importing = 0;
          // On a busy machine the cell itself may not be there in time.
          for (let attempt = 0; attempt < 20 && importing < 2; attempt += 1) {
            const error = await refusal('ok', null, { timeoutMs: 800 });
            assert.equal(error.code, 'tool_timeout');
            assert.equal(error.details['timeoutMs'], 800);
            if (error.details['phase'] === 'importing') importing += 1;
          }
          assert.equal(importing, 2);
          await rm(marker);
          assert.equal(await call('ok'), 'fine');
          assert.ok(failures.every(({ error }) => error.code === 'tool_timeout'));
        },
      );
    });
  }

  test(`a module that throws at import fails that ${isolation} call, and the next call imports it again`, async (context) => {
    const marker = join(await temporaryFolder(context), 'marker');
    await writeFile(marker, '');
    await withTools(
      'fails-at-import',
      { isolation, limits: { toolThreads: 1 }, env: { FIXTURE_TOKEN: marker } },
      async ({ call, refusal, tools }) => {
        for (let attempt = 0; attempt < 2; attempt += 1) {
          const error = await refusal('ok');
          assert.equal(error.code, 'tool_failed');
          assert.match(error.message, /could not be imported: the database is away/);
          assert.match((error.details['cause'] as PlainError).stack ?? '', /fails-at-import\/index\.js/);
        }
        await rm(marker);
        assert.equal(await call('ok'), 'fine');
        await until('only cells that can work are left', () => tools.threads <= 1);
      },
    );
  });
}
