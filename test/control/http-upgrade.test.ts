// A client that offers another protocol is answered in HTTP/1.1, and so is everything that it sent behind the offer.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startBrowserLab } from '../labs/browser-lab.ts';
import { startControl } from '../labs/control-lab.ts';
import type { Place } from '../labs/http-client.ts';
import { RawSocket } from '../labs/raw-socket.ts';
import { until } from '../labs/until.ts';

const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n';
const echo = (input: unknown, fields = ''): string => {
  const body = JSON.stringify({ input });
  return `POST /api/tools/p/echo HTTP/1.1\r\nHost: x\r\n${fields}Content-Type: application/json\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`;
};
const later = (ms: number): string => {
  const body = JSON.stringify({ input: { ms } });
  return `POST /api/tools/p/later HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`;
};
const ping = (fields = ''): string => `GET /api/ping HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;

/** The bodies of the answers, in order, once there are so many. */
async function answers(
  t: TestContext,
  place: Place,
  chunks: readonly string[],
  count: number,
): Promise<Record<string, unknown>[]> {
  const raw = await RawSocket.connect(t, place);
  const bodies = (): string[] =>
    raw.text
      .split(/HTTP\/1\.1 (?=\d{3} )/)
      .slice(1)
      .map((answer) => answer.slice(answer.indexOf('\r\n\r\n') + 4));
  for (const chunk of chunks) {
    raw.send(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(`${String(count)} answers are there`, () => bodies().length >= count && /\}\s*$/.test(raw.text));
  return bodies().map((body) => JSON.parse(body) as Record<string, unknown>);
}

test('what is pipelined behind an offer of HTTP/2 is answered, in order', async (t) => {
  const { path } = await startControl(t);
  const told = await answers(t, path, [`${ping(offer)}${echo(1)}${ping(offer)}${echo(2)}`], 4);
  assert.deepEqual(
    told.map(({ pong, output }) => pong ?? output),
    [true, 1, true, 2],
  );
});

test('an offer that comes behind a request that still runs waits for it, with its body and all that follows', async (t) => {
  const { path } = await startControl(t);
  const text = `${later(100)}${echo('offered', offer)}${echo('behind')}`;
  assert.deepEqual(
    (await answers(t, path, [text], 3)).map(({ output }) => output),
    [{ ms: 100 }, 'offered', 'behind'],
  );
  const bytes = [...text];
  assert.deepEqual(
    (await answers(t, path, bytes, 3)).map(({ output }) => output),
    [{ ms: 100 }, 'offered', 'behind'],
    'byte by byte',
  );
  const twice = [...`${echo('first', offer)}${echo('second', offer)}${echo('behind')}`];
  assert.deepEqual(
    (await answers(t, path, twice, 3)).map(({ output }) => output),
    ['first', 'second', 'behind'],
    'two offers',
  );
});

test('the port for browsers answers behind an offer too, and asks for credentials behind it as before it', async (t) => {
  const { place, token } = await startBrowserLab(t);
  const get = (fields: string): string =>
    `GET /api/runtimes HTTP/1.1\r\nHost: ${place.host}:${String(place.port)}\r\n${fields}\r\n`;
  const authorization = `Authorization: Bearer ${token}\r\n`;
  const told = await answers(t, place, [`${get(`${authorization}${offer}`)}${get(authorization)}${get(offer)}`], 3);
  assert.deepEqual(
    told.map(({ runtimes, code }) => (runtimes === undefined ? code : 'runtimes')),
    ['runtimes', 'runtimes', 'unauthorized'],
  );
});
