// Another listener can stand in front of the same routes, and then only what is meant for its callers is served.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { limits as limitsSchema } from '../../daemon/config/schema.ts';
import { Documents } from '../../daemon/control/http/documents.ts';
import { HttpApi } from '../../daemon/control/http/http-api.ts';
import { HalfLines } from '../../daemon/control/half-lines.ts';
import { OperationCalls } from '../../daemon/control/operation-calls.ts';
import { unprojected } from '../../daemon/control/projection.ts';
import { Subscriptions } from '../../daemon/control/subscriptions.ts';
import { Feed } from '../../daemon/telemetry/feed.ts';
import type { Audience } from '../../protocol/operation.ts';
import { type OperationName, operationNames, operations } from '../../protocol/operations.ts';
import { allHandlers, noReports, usualHandlers } from '../labs/control-lab.ts';
import { ask } from '../labs/http-client.ts';
import { noMcp } from '../labs/no-mcp.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';

async function listen(t: test.TestContext, allowedAudiences: readonly Audience[]): Promise<string> {
  const path = join(await temporaryFolder(t), 'other.sock');
  const limits = limitsSchema.parse({});
  const feed = new Feed();
  const calls = new OperationCalls(allHandlers(usualHandlers), () => false);
  const api = new HttpApi({
    calls,
    body: { maximum: limits.lineBytes, limit: 'limits.lineBytes' },
    halfLines: new HalfLines(2 ** 26),
    documents: new Documents('0.0.0'),
    limits,
    log: { warn() {}, error() {} },
    allowedAudiences,
    projection: unprojected,
    reports: noReports,
    mcp: noMcp(),
    answerBytes: limits.answerBytes,
  });
  const server = createServer(
    (request, response) =>
      void api.handle(request, response, {
        id: 'other',
        audience: 'browser',
        subscriptions: new Subscriptions(feed, limits),
        arrivedMs: 0,
        beginStream() {},
      }),
  );
  server.listen(path);
  await once(server, 'listening');
  t.after(() => server.close());
  return path;
}

test("an operation that is not for this listener's callers is forbidden before its parameters are looked at", async (t) => {
  const path = await listen(t, ['browser']);
  const url = (name: OperationName): string =>
    operations[name].http.path.replaceAll(/\{\w+\}/g, 'NOT VALID').replaceAll(' ', '%20');
  for (const name of operationNames.filter((each) => operations[each].audience !== 'browser')) {
    const { status, json } = await ask(path, operations[name].http.method, url(name));
    assert.deepEqual([status, json['code']], [403, 'forbidden'], name);
  }
});

test('the same routes answer where the audience is allowed', async (t) => {
  const path = await listen(t, ['control']);
  assert.equal((await ask(path, 'GET', '/api/ping')).json['pong'], true);
});
