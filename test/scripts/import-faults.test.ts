// Where an import fails is told with file, line and column, wherever an author meets the fault: at start and reload, in
// logs and status, at a tool's call and a worker's input. A fault that lies in the files is not tried again.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, before, describe, test } from 'node:test';
import { type ServedDaemon, fileCleanup, serve, temporaryFolder } from '../labs/cli-process.ts';
import { writePlugin } from '../labs/written-plugin.ts';

const service = {
  ingresses: [{ name: 'in', kinds: ['any'] }],
  restart: { policy: 'on-failure', intensity: 5, periodMs: 60_000, backoffMs: [10, 20] },
};
const good = 'export const service = { start() {}, handleIngress() { return "fine"; } };\n';

interface Fault {
  readonly what: string;
  readonly files: Readonly<Record<string, string>>;
  readonly told: RegExp;
}

const faults: readonly Fault[] = [
  {
    what: 'does not parse',
    files: { 'index.js': `${good}const a = ;\n` },
    told: /could not be imported: index\.js:2:11: Unexpected token ';'/,
  },
  {
    what: 'imports what does not parse',
    files: { 'index.js': 'import "./lib/part.js";\n', 'lib/part.js': '\n\nlet b b;\n' },
    told: /could not be imported: lib\/part\.js:3:7: /,
  },
  {
    what: 'imports what is not exported',
    files: { 'index.js': 'import { nope } from "./lib/part.js";\n', 'lib/part.js': 'export const yes = 1;\n' },
    told: /could not be imported: index\.js:1:10: .*'nope'/,
  },
  {
    what: 'imports a file that is not there',
    files: { 'index.js': `${good}import x from './nowhere.js';\n` },
    told: /could not be imported: index\.js:2:15: Cannot find module/,
  },
  {
    what: 'imports a package that is not installed',
    files: { 'index.js': 'import { a } from "not-installed/part";\n' },
    told: /could not be imported: index\.js:1:19: Cannot find package 'not-installed'/,
  },
];

for (const isolation of ['thread', 'process']) {
  describe(`a service in a ${isolation}`, () => {
    const cleanup = fileCleanup();
    let daemon: ServedDaemon;
    let folder: string;

    before(async () => {
      daemon = await serve(cleanup);
      folder = join(temporaryFolder(cleanup), 'p');
    });

    afterEach(async () => void (await daemon.nagaya(['unload', 'test.written'])));

    for (const { what, files, told } of faults) {
      test(`an entry that ${what} is told with its place by start, status and logs, and is not tried again`, async () => {
        writePlugin(folder, { manifest: { isolation, service }, files });
        const started = await daemon.nagaya(['load', folder, '--start']);
        assert.match(started.stderr, told);
        const status = (await daemon.json(['status', 'test.written'])) as {
          restart: unknown;
          incarnation: number;
          lastError: { message: string };
        };
        const { restart, incarnation, lastError } = status;
        assert.deepEqual(restart, { pending: false, attempt: 0, nextAt: null });
        assert.equal(incarnation, 1);
        assert.match(lastError.message, told);
        assert.match((await daemon.nagaya(['logs', 'test.written', '--lines', '5'])).stdout, told);
        assert.match(
          (await daemon.nagaya(['timeline', 'test.written'])).stdout,
          /Correct them, then run nagaya reload test\.written/,
        );
      });
    }

    test('a reload to code that does not parse names the place, and the old code goes on', async () => {
      writePlugin(folder, { manifest: { isolation, service }, files: { 'index.js': good } });
      await daemon.json(['load', folder, '--start']);
      writePlugin(folder, { manifest: { isolation, service }, files: { 'index.js': `${good}const a = ;\n` } });
      const { stderr } = await daemon.nagaya(['reload', 'test.written']);
      assert.match(stderr, /index\.js:2:11: Unexpected token/);
      assert.match((await daemon.nagaya(['deliver', 'test.written', '{}'])).stdout, /fine/);
    });

    test('an error that the module throws itself is told with its place, and is tried again', async () => {
      writePlugin(folder, {
        manifest: { isolation, service },
        files: { 'index.js': `${good}throw new Error('no network yet');\n` },
      });
      const { stderr } = await daemon.nagaya(['load', folder, '--start']);
      assert.match(stderr, /could not be imported: index\.js:2:7: no network yet/);
      const { stdout } = await daemon.nagaya(['timeline', 'test.written']);
      assert.match(stdout, /restart_pending/);
    });

    test('an entry without what a service needs is not tried again', async () => {
      writePlugin(folder, {
        manifest: { isolation, service },
        files: { 'index.js': 'export const service = { start() {} };\n' },
      });
      const { stderr } = await daemon.nagaya(['load', folder, '--start']);
      assert.match(stderr, /service\.handleIngress must be a function/);
      const status = (await daemon.json(['status', 'test.written'])) as {
        restart: { pending: boolean };
        incarnation: number;
      };
      assert.deepEqual([status.restart.pending, status.incarnation], [false, 1]);
    });
  });
}

describe('a tool and a profile', () => {
  const cleanup = fileCleanup();
  let daemon: ServedDaemon;

  before(async () => {
    daemon = await serve(cleanup);
    const tools = ['pooled', 'fresh', 'process'].map((isolation) => ({
      name: isolation,
      description: 'fails',
      isolation,
    }));
    // With a service, nothing of the plugin is run when it is loaded.
    const folder = writePlugin(join(temporaryFolder(cleanup), 'p'), {
      manifest: { service, tools, profiles: [{ name: 'chat', description: 'fails' }] },
      files: { 'index.js': `${good}const a = ;\n` },
    });
    await daemon.json(['load', folder]);
  });

  test('a call of a tool whose plugin does not parse names the place, in every kind of cell and in the log', async () => {
    for (const tool of ['pooled', 'fresh', 'process']) {
      const { stderr } = await daemon.nagaya(['call', 'test.written', tool]);
      assert.match(stderr, /could not be imported: index\.js:2:11: Unexpected token ';'/, tool);
    }
    assert.match((await daemon.nagaya(['logs', 'test.written'])).stdout, /index\.js:2:11: Unexpected token/);
  });

  test('the log names the place for an input of a worker whose profile does not parse', async () => {
    const { workerId } = (await daemon.json(['worker', 'new', '--profile', 'test.written:chat'])) as {
      workerId: string;
    };
    await daemon.nagaya(['worker', 'send', workerId, 'hello', '--wait']);
    assert.match((await daemon.nagaya(['timeline', 'test.written'])).stdout, /index\.js:2:11: Unexpected token/);
  });
});
