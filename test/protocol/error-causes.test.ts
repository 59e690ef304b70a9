// What an error was caused by reaches whoever reads of it: the caller, the log, the dead letter and the story of the
// event. What was thrown may be anything, so the bounds are tried too.
import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { isCellMessage } from '../../daemon/cells/cell-message.ts';
import {
  flattenError,
  isPlainError,
  maxCauseDepth,
  maxErrorsOfOne,
  messageWithCauses,
  stackWithCauses,
} from '../../protocol/cell/plain-error.ts';
import { type ServedDaemon, fileCleanup, serve, temporaryFolder } from '../labs/cli-process.ts';
import { writePlugin } from '../labs/written-plugin.ts';
import { until } from '../labs/until.ts';

/** Nobody listens there any more; `fetch` itself refuses the well-known unused ports. */
const closedPort = await new Promise<number>((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    server.close(() => resolve(port));
  });
});
const refused = `fetch failed: connect ECONNREFUSED 127.0.0.1:${String(closedPort)}`;
const secret = 'correct-horse-battery';

const entry = `
const ask = () => fetch('http://127.0.0.1:${String(closedPort)}/');
export const service = {
  start() {},
  async handleIngress({ payload }, ctx) {
    if (payload.do === 'stray') { Promise.reject(new Error('stray', { cause: new Error('beneath') })); await new Promise(() => {}); }
    if (payload.do === 'log') {
      try { await ask(); } catch (error) { ctx.log.error('the request failed', { error }); ctx.log.error(error); }
      return null;
    }
    if (payload.do === 'secret') throw new Error('outer', { cause: new Error('refused for ' + process.env.TOKEN, { cause: new AggregateError([new Error('inner ' + process.env.TOKEN)], 'all') }) });
    return await ask();
  },
};
export const tools = { ask: () => ask(), stray: () => { throw new AggregateError([new Error('first'), new Error('second')], ''); } };
export const profiles = { ask: { onInput: () => ask() } };
`;
const service = { ingresses: [{ name: 'in', kinds: ['any'] }], retry: { maxAttempts: 1 } };
const tools = ['pooled', 'fresh', 'process'].flatMap((isolation) => [
  { name: `ask-${isolation}`, description: 'asks', isolation },
]);

for (const isolation of ['thread', 'process']) {
  describe(`of a plugin in a ${isolation}`, () => {
    const cleanup = fileCleanup();
    let daemon: ServedDaemon;

    before(async () => {
      const named = tools.map((tool) => `${JSON.stringify(tool.name)}: tools.ask`).join(', ');
      const folder = writePlugin(join(temporaryFolder(cleanup), 'p'), {
        manifest: {
          isolation,
          env: ['TOKEN'],
          service,
          tools: [...tools, { name: 'stray', description: 'fails twice' }],
          profiles: [{ name: 'ask', description: 'asks' }],
        },
        files: { 'index.js': `${entry}\nObject.assign(tools, { ${named} });\n` },
      });
      daemon = await serve(cleanup, [], { env: { TOKEN: secret } });
      await daemon.json(['load', folder, '--start']);
    });

    const deliver = async (payload: object): Promise<string> =>
      (await daemon.nagaya(['deliver', 'test.written', JSON.stringify(payload)])).stderr;

    test("a handler's error is told with its cause, in the answer and in the log", async () => {
      const told = await deliver({ do: 'ask' });
      assert.match(told, new RegExp(`The handler failed: ${refused}`));
      assert.match(told, /cause: TypeError: fetch failed/);
      assert.match(told, /cause: Error: connect ECONNREFUSED 127\.0\.0\.1/);
      const { stdout } = await daemon.nagaya(['logs', 'test.written', '--lines', '200']);
      assert.match(stdout, new RegExp(refused));
      const status = await daemon.nagaya(['status', 'test.written']);
      assert.match(status.stdout, new RegExp(refused));
    });

    test('the error of a tool is told with its cause, in whatever kind of cell the tool runs', async () => {
      for (const { name } of tools) {
        const { stderr } = await daemon.nagaya(['call', 'test.written', name]);
        assert.match(stderr, new RegExp(refused), name);
        assert.match(stderr, /cause: Error: connect ECONNREFUSED/, name);
      }
      const { stderr } = await daemon.nagaya(['call', 'test.written', 'stray']);
      assert.match(stderr, /failed: first; second/);
    });

    test('the error of a profile is told with its cause in the log that the answer names', async () => {
      const created = (await daemon.json(['worker', 'new', '--profile', 'test.written:ask'])) as { workerId: string };
      const { stdout, stderr } = await daemon.nagaya(['worker', 'send', created.workerId, 'hello', '--wait']);
      assert.match(`${stdout}${stderr}`, /nagaya logs test\.written/);
      assert.match(
        (await daemon.nagaya(['logs', 'test.written'])).stdout,
        new RegExp(`The program failed: ${refused}`),
      );
    });

    test('errors that a plugin logs keep message, stack and cause', async () => {
      await deliver({ do: 'log' });
      const { stdout } = await daemon.nagaya(['logs', 'test.written', '--lines', '50', '--json']);
      const lines = stdout
        .split('\n')
        .filter((line) => line.includes('the request failed') || line.includes('[cause]: Error: connect ECONNREFUSED'));
      assert.ok(
        lines.some((line) => line.includes('"fetch failed"') && line.includes('connect ECONNREFUSED 127.0.0.1')),
        stdout,
      );
      assert.ok(
        lines.some((line) => line.includes('[cause]: Error: connect ECONNREFUSED')),
        stdout,
      );
    });

    test('an environment value in a cause is taken out as it is taken out of the message', async () => {
      const { stderr } = await daemon.nagaya(['deliver', 'test.written', '--json', '{"do":"secret"}']);
      assert.match(stderr, /refused for/);
      assert.match(stderr, /inner/);
      assert.doesNotMatch(stderr, new RegExp(secret));
    });

    test('a dead letter and the story of its event name the cause', async () => {
      await daemon.json(['publish', 'test.written', '{"do":"stray"}', '--correlation-id', 'stray-1']);
      await until(
        'the event is a dead letter',
        async () => ((await daemon.json(['dead-letters', 'list', 'test.written'])) as { total: number }).total === 1,
        30_000,
      );
      const letters = await daemon.nagaya(['dead-letters', 'list', 'test.written', '--json']);
      assert.match(letters.stdout, /stray: beneath/);
      assert.match(letters.stdout, /\[cause\]: Error: beneath/);
      const story = await daemon.nagaya(['explain', 'test.written', '--event', 'stray-1']);
      assert.match(story.stdout, /stray: beneath/);
    });
  });
}

test('causes that go round, a chain without end, a crowd of errors and getters that throw stay within the bounds', () => {
  const round = new Error('round');
  round.cause = new Error('inner', { cause: round });
  assert.equal(messageWithCauses(flattenError(round)), 'round: inner');

  let chain = new Error('end');
  for (let depth = 0; depth < 1000; depth += 1) chain = new Error(`level ${String(depth)}`, { cause: chain });
  let depth = 0;
  for (let at = flattenError(chain).cause; at !== undefined; at = at.cause) depth += 1;
  assert.equal(depth, maxCauseDepth);

  const crowd = flattenError(
    new AggregateError(
      Array.from(
        { length: 1000 },
        (_, index) => new Error(`error ${String(index)}`, { cause: new Error('x'.repeat(100_000)) }),
      ),
      'crowd',
    ),
  );
  assert.equal(crowd.errors?.length, maxErrorsOfOne);
  assert.ok(JSON.stringify(crowd).length < 60_000);
  assert.ok(isPlainError(crowd));

  const hostile = new Proxy(new Error('hostile'), {
    get(target, key) {
      if (key === 'cause' || key === 'errors') throw new Error('no');
      return Reflect.get(target, key) as unknown;
    },
  });
  assert.equal(messageWithCauses(flattenError(hostile)), 'hostile');
  assert.equal(messageWithCauses(flattenError(new Error('outer', { cause: 'a text' }))), 'outer: "a text"');
  assert.equal(
    messageWithCauses(flattenError(new AggregateError([new Error('one'), new Error('two')], ''))),
    'one; two',
  );
  assert.match(
    stackWithCauses(flattenError(new Error('outer', { cause: new Error('inner') }))) ?? '',
    /Error: outer\n[^]*\[cause\]: Error: inner\n/,
  );
});

test("a cell's message with a deeper or wider error than the bounds allow is refused", () => {
  const nested = (levels: number): object => ({
    name: 'Error',
    message: 'm',
    ...(levels === 0 ? {} : { cause: nested(levels - 1) }),
  });
  const crash = (error: object): object => ({ type: 'crash', reason: 'exit', error });
  assert.equal(isCellMessage(crash(nested(maxCauseDepth))), true);
  assert.equal(isCellMessage(crash(nested(maxCauseDepth + 1))), false);
  assert.equal(
    isCellMessage(crash({ ...nested(0), errors: Array.from({ length: maxErrorsOfOne + 1 }, () => nested(0)) })),
    false,
  );
  assert.equal(isCellMessage(crash({ ...nested(0), cause: 'text' })), false);
});
