// A client that listens hears of every change of what it is offered, in both eras of the protocol, over stdio and HTTP.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectNewer, startMcpLab } from '../labs/mcp-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { writePlugin } from '../labs/written-plugin.ts';
import { until } from '../labs/until.ts';

for (const way of ['stdio', 'http'] as const) {
  for (const modern of [false, true]) {
    const era = modern ? 'newer' : 'older';
    test(`over ${way} in the ${era} era, a client hears that plugins came, changed and went`, async (t) => {
      const lab = await startMcpLab(t);
      let changes = 0;
      const client = await connectNewer(t, lab, way, { modern, hooks: { toolsChanged: () => (changes += 1) } });
      const names = async (): Promise<string[]> => (await client.listTools()).tools.map(({ name }) => name);
      assert.equal((await names()).includes('test_written__one'), false);
      const write = (folder: string, tool: string): string =>
        writePlugin(folder, {
          manifest: { tools: [{ name: tool }] },
          files: { 'index.js': `export const tools = { ${tool}: () => 1 };` },
        });
      const folder = write(await temporaryFolder(t), 'one');
      const control = await lab.daemon.connect();
      const heardOf = async (what: string, change: () => Promise<unknown>): Promise<void> => {
        const before = changes;
        await change();
        await until(`the client hears that the plugin ${what}`, () => changes > before, 60_000);
      };
      // A client that has just connected may not listen yet.
      const heard = async (): Promise<boolean> => {
        for (const endMs = performance.now() + 5000; changes === 0 && performance.now() < endMs;) await sleep(20);
        return changes > 0;
      };
      await until(
        'the client listens',
        async () => {
          await control.call('plugin.load', { path: folder });
          if (await heard()) return true;
          await control.call('plugin.unload', { plugin: 'test.written' });
          return false;
        },
        60_000,
      );
      assert.ok((await names()).includes('test_written__one'));
      write(folder, 'two');
      await heardOf('changed', () => control.call('plugin.reload', { plugin: 'test.written' }));
      assert.ok((await names()).includes('test_written__two'));
      await heardOf('went', () => control.call('plugin.unload', { plugin: 'test.written' }));
      assert.equal(
        (await names()).some((name) => name.startsWith('test_written')),
        false,
      );
    });
  }
}
