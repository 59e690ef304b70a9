// A thread that is ended while it reads files must leave none of them open in the daemon: older Nodes forget a file
// whose opening was under way, and after some thousands of restarts the daemon could open nothing any more.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { relative } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { CellEnd } from '../../daemon/cells/cell.ts';
import { ThreadCell } from '../../daemon/cells/thread/thread-cell.ts';
import { limits as limitsSchema } from '../../daemon/config/schema.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { answerOf, withTools } from '../labs/tool-lab.ts';

const cuts = 100;
const toolCuts = 30;
const moduleCount = 40;
const limits = limitsSchema.parse({});
const linux = { skip: process.platform !== 'linux' && 'only Linux tells what is open' };

/** Script files that are open in this process, in which the cells are threads. */
function openScripts(): string[] {
  return readdirSync('/proc/self/fd')
    .map((descriptor) => {
      try {
        return readlinkSync(`/proc/self/fd/${descriptor}`);
      } catch {
        // It was that of this very look.
        return '';
      }
    })
    .filter((path) => /\.[cm]?js$/.test(path));
}

/** A file that is being read right now is not left open. */
async function assertNoneOpen(): Promise<void> {
  for (const untilMs = performance.now() + 5000; openScripts().length > 0 && performance.now() < untilMs;)
    await sleep(20);
  assert.deepEqual(openScripts(), []);
}

const names = Array.from({ length: moduleCount }, (_none, index) => `m${String(index)}.js`);
const files = {
  'package.json': { type: 'module' },
  ...Object.fromEntries(names.map((name) => [name, `export {};\n${'// a file takes a moment to read\n'.repeat(200)}`])),
  'index.js': `${names.map((name) => `import './${name}';\n`).join('')}export const service = { start() {}, handleIngress() {} };\nexport const tools = { work: () => 1 };\n`,
};

function begin(folder: string): {
  readonly cell: ThreadCell;
  readonly ended: Promise<CellEnd>;
  load(): Promise<unknown>;
} {
  let tell: (end: CellEnd) => void = () => {};
  const ended = new Promise<CellEnd>((resolve) => (tell = resolve));
  const quiet = { results() {}, halted() {}, said() {}, log() {}, logDropped() {}, unkillable() {}, ended: tell };
  const cell = new ThreadCell(
    {
      isolation: 'thread',
      name: 'test.cut',
      folder,
      env: {},
      execArgv: [],
      heapMb: 128,
      rssMb: 512,
      descriptors: 1000,
      logBytesPerSecond: 65_536,
      beginWithinMs: 1500,
      spinMs: 1000,
    },
    quiet,
    limits,
  );
  const load = (): Promise<unknown> =>
    cell.load(
      {
        plugin: { id: 'test.cut', name: 'Cut', version: '1.0.0' },
        incarnation: 1,
        entryUrl: pathToFileURL(`${folder}/index.js`).href,
        configJson: '{}',
        payloadSchemas: {},
        maxStateBytes: 1024,
        maxOutputBytes: 1024,
      },
      30_000,
    );
  return { cell, ended, load };
}

test("a service's cell that is ended at any moment of its start leaves no file open", linux, async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, files);
  const beganMs = performance.now();
  const first = begin(folder);
  await first.load();
  const startMs = performance.now() - beganMs;
  first.cell.end();
  await first.ended;
  for (let cut = 0; cut < cuts; cut += 1) {
    const { cell, ended, load } = begin(folder);
    void load();
    await sleep(startMs * (cut / cuts));
    cell.end();
    assert.equal((await ended).reason, 'killed');
  }
  await assertNoneOpen();
});

for (const isolation of ['pooled', 'fresh'] as const) {
  test(
    `a ${isolation} tool that is cancelled at any moment of its first call leaves no file open`,
    linux,
    async (t) => {
      const folder = await temporaryFolder(t);
      await writeTree(folder, {
        ...files,
        'plugin.json': {
          schemaVersion: 1,
          id: 'test.cut',
          name: 'Cut',
          version: '1.0.0',
          entry: './index.js',
          tools: [{ name: 'work', inputSchema: {} }],
        },
      });
      const fixture = relative(fileURLToPath(new URL('../fixtures/tools', import.meta.url)), folder);
      let startMs = 0;
      await withTools(fixture, { isolation, limits: { abortGraceMs: 0 } }, async ({ call }) => {
        const beganMs = performance.now();
        await call('work');
        startMs = performance.now() - beganMs;
      });
      for (let cut = 0; cut < toolCuts; cut += 1) {
        await withTools(fixture, { isolation, limits: { abortGraceMs: 0 } }, async ({ tools }) => {
          const cancel = new AbortController();
          const answer = answerOf(tools, { tool: 'work', input: null, signal: cancel.signal }).catch(() => undefined);
          await sleep(startMs * (0.3 + (0.7 * cut) / toolCuts));
          cancel.abort();
          await answer;
        });
      }
      await assertNoneOpen();
    },
  );
}

test("a pooled tool's thread that is to end while it loads takes nobody with it", async () => {
  const program = fileURLToPath(new URL('../fixtures/tools/host-that-cuts.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', program], { timeout: 100_000 });
  assert.equal(stdout, 'the host is done\n');
});
