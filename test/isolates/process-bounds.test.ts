// A cell in a process is held to the plugin's bounds on memory and descriptors together with all that it has started,
// whether a service or a tool runs in it.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { HostError } from '../../protocol/errors.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';

const manifest = JSON.stringify({
  schemaVersion: 1,
  id: 'test.bounds',
  name: 'Bounds',
  version: '1.0.0',
  entry: './index.js',
  isolation: 'process',
  limits: { rssMb: 200, descriptors: 64 },
  service: {
    ingresses: [{ name: 'in', kinds: ['do'] }],
    timeouts: { handleMs: 30_000 },
    retry: { maxAttempts: 1 },
    restart: { backoffMs: [1, 10] },
  },
  tools: [{ name: 'deed', isolation: 'process', timeoutMs: 30_000 }],
});

const entry = `
import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
const programs = {
  memory: 'const kept = []; for (let i = 0; i < 20; i += 1) kept.push(Buffer.alloc(16 * 1024 * 1024, 1)); setInterval(() => kept.length, 1000);',
  descriptors: 'for (let i = 0; i < 120; i += 1) require("node:fs").openSync("/dev/null"); setInterval(() => {}, 1000);',
};
const kept = [];
const deeds = {
  memory: () => { for (let i = 0; i < 20; i += 1) kept.push(Buffer.alloc(16 * 1024 * 1024, 1)); },
  descriptors: () => { for (let i = 0; i < 120; i += 1) openSync('/dev/null'); },
};
const run = ({ what, where }) => {
  if (where === 'child') spawn(process.execPath, ['-e', programs[what]], { stdio: 'ignore' });
  else deeds[what]();
  return new Promise(() => setInterval(() => {}, 1000));
};
export const service = { start() {}, handleIngress: ({ payload }) => payload === 'well' ? 'well' : run(payload) };
export const tools = { deed: (input) => input === 'well' ? 'well' : run(input) };
`;

const bounds = {
  memory: /held \d+ MB of resident memory; limits\.rssMb allows 200/,
  descriptors: /had \d+ descriptors open; limits\.descriptors allows 64/,
} as const;

async function daemonWithBounds(
  t: TestContext,
): Promise<{ ask(subject: 'service' | 'tool', input: unknown): Promise<unknown> }> {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugin.json': manifest, 'index.js': entry });
  const daemon = await startTestDaemon(t, { plugins: [folder] });
  const client = await daemon.connect();
  return {
    ask: async (subject, input) =>
      subject === 'tool'
        ? (await client.call('tool.call', { plugin: 'test.bounds', tool: 'deed', input })).output
        : (
            await client.call('ingress.deliver', {
              plugin: 'test.bounds',
              event: { ingress: 'in', kind: 'do', payload: input },
            })
          ).output,
  };
}

const skip = process.platform !== 'linux' && 'figures of processes are read from /proc';

for (const subject of ['service', 'tool'] as const) {
  for (const what of ['memory', 'descriptors'] as const) {
    test(
      `a process cell of a ${subject} is held to its bound on ${what}, its own and that of its children`,
      { skip },
      async (t) => {
        const { ask } = await daemonWithBounds(t);
        for (const where of ['own', 'child']) {
          const error: unknown = await ask(subject, { what, where }).then(
            () => undefined,
            (thrown: unknown) => thrown,
          );
          assert.ok(error instanceof HostError, where);
          assert.equal(error.code, subject === 'tool' ? 'tool_crashed' : 'cell_crashed', error.message);
          assert.match(error.message, bounds[what]);
          assert.match(
            error.message,
            where === 'child' ? /the cell's process and the one that it has started/ : /the cell's process (held|had)/,
          );
          assert.equal(await ask(subject, 'well'), 'well');
        }
      },
    );
  }
}
