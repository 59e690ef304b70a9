// Nothing that the operator's page can ask, and no metric, holds an environment value, a credential, a token, a stack
// or a place of this machine: every operation of the operator is called, rightly and wrongly, at a daemon whose plugin
// tells all it knows.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Operation } from '../../protocol/operation.ts';
import { operationNames, operations } from '../../protocol/operations.ts';
import { type HttpAnswer, ask } from '../labs/http-client.ts';
import { temporaryFolder, writeTree } from '../labs/temporary-folder.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { until } from '../labs/until.ts';

const plugin = 'test.telltale';
const secrets = {
  TELLTALE_SECRET: 'planted-secret-of-the-environment-42',
  TELLTALE_SOURCE: 'planted-credential-of-a-source-43',
  TELLTALE_OUTPUT: 'planted-credential-of-an-output-44',
};
const stackMarker = 'stackMarkerOfThePlugin';

const manifest = {
  schemaVersion: 1,
  id: plugin,
  name: 'Telltale',
  version: '1.0.0',
  entry: './index.js',
  env: ['TELLTALE_SECRET'],
  limits: { cpuShare: 4 },
  service: {
    ingresses: [{ name: 'in', kinds: ['x'] }],
    retry: { maxAttempts: 1 },
    sources: [
      {
        name: 'hook',
        type: 'webhook',
        ingress: 'in',
        kind: 'x',
        verify: { scheme: 'github', secretEnv: ['TELLTALE_SOURCE'] },
      },
      { name: 'yearly', type: 'schedule', cron: '0 0 1 1 *', ingress: 'in', kind: 'x', missed: 'skip' },
    ],
    outputs: [
      {
        name: 'out',
        type: 'http',
        url: 'http://127.0.0.1:9/nobody',
        auth: { header: 'authorization', env: 'TELLTALE_OUTPUT' },
      },
    ],
  },
  tools: [{ name: 'tell', description: 'Tells.', inputSchema: {}, outputSchema: {} }],
};
const code = `
  const secret = process.env.TELLTALE_SECRET;
  const known = () => secret + ' ' + import.meta.filename + ' ' + Object.values(process.env).join(' ');
  function ${stackMarker}() { throw new Error('it knows ' + known()); }
  export const service = {
    start(ctx) { ctx.log.info('it knows ' + known()); console.log(secret); },
    handleIngress(event, ctx) { if (event.payload.send) ctx.send('out', { told: 'yes' }); else ${stackMarker}(); },
    status: () => ({ known: known() }),
  };
  export const tools = { tell: () => ${stackMarker}() };
`;

const formsOf = (value: string): string[] => [
  value,
  encodeURIComponent(value),
  Buffer.from(value).toString('base64').replace(/=+$/, ''),
  Buffer.from(value).toString('hex'),
];

test('the operator is told no secret, no stack and no place, whatever is asked, and neither is a scraper', async (t) => {
  const folder = await temporaryFolder(t);
  await writeTree(folder, { 'plugin.json': manifest, 'index.js': code });
  const config = { http: { port: 0 }, webhooks: { port: 0 } };
  const daemon = await startTestDaemon(t, { plugins: [folder], config, env: secrets });
  const client = await daemon.connect();
  const event = { ingress: 'in', kind: 'x', payload: {} };
  const events = [event, event, { ...event, payload: { send: true } }];
  await client.call('ingress.publish', { plugin, events });
  await client.call('tool.call', { plugin, tool: 'tell', input: {} }).catch(() => undefined);
  await until('two letters', async () => (await client.call('deadLetter.list', { plugin, limit: 10 })).total === 2);
  const { deadLetters } = await client.call('deadLetter.list', { plugin, limit: 10 });

  const { url } = await client.call('browser.link', { scope: 'operate' });
  const link = new URL(url);
  const place = { host: link.hostname, port: Number(link.port) };
  const signedIn = await ask(place, 'GET', `${link.pathname}${link.search}`);
  const cookie = signedIn.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
  const headers = { cookie, origin: link.origin };
  const told: { readonly what: string; readonly answer: HttpAnswer }[] = [];
  const asks = async (method: string, path: string, body?: object): Promise<HttpAnswer> => {
    const answer = await ask(place, method, path, { headers, ...(body === undefined ? {} : { body }) });
    told.push({ what: `${method} ${path} ${JSON.stringify(body) ?? ''}`, answer });
    return answer;
  };

  const named: Readonly<Record<string, readonly string[]>> = {
    plugin: [plugin, 'test.none'],
    tool: ['tell', 'none'],
    source: ['hook', 'yearly', 'none'],
    output: ['out', 'none'],
    id: [deadLetters[0]?.id ?? '', 'none'],
    callId: ['none'],
  };
  const pathsOf = (row: Operation): string[] => {
    let paths: string[] = [row.http.path];
    for (const [, name = ''] of row.http.path.matchAll(/\{(\w+)\}/g)) {
      const values = named[name];
      assert.ok(values !== undefined, `teach the crawl what may stand for {${name}}`);
      paths = paths.flatMap((path) => values.map((value) => path.replace(`{${name}}`, encodeURIComponent(value))));
    }
    return paths;
  };
  const rows: Operation[] = operationNames
    .map((name) => operations[name])
    .filter(({ audience }) => audience === 'operator');
  assert.ok(rows.length > 20);
  const reading = rows.filter(({ http, stream }) => http.method === 'GET' && stream !== true);
  for (const row of reading)
    for (const path of pathsOf(row))
      for (const query of ['', `?plugin=${plugin}`, '?limit=1000000000']) await asks('GET', `${path}${query}`);
  const ok = told.filter(({ answer }) => answer.status === 200).length;
  assert.ok(ok >= reading.length, `only ${String(ok)} answers told anything`);
  const writing = rows.filter(({ http }) => http.method === 'POST');
  const bodies = [
    { wrong: 'yes' },
    { plugin, event: { ingress: 'in', kind: 'x', payload: {} }, input: {}, ids: ['none'] },
    {},
  ];
  for (const row of writing) for (const path of pathsOf(row)) for (const body of bodies) await asks('POST', path, body);
  await asks('GET', '/readyz');
  await asks('GET', '/session');
  await asks('GET', '/console');
  const { metricsToken, ...others } = JSON.parse(
    readFileSync(join(daemon.folder, 'state/browser/tokens.json'), 'utf8'),
  ) as Record<string, string>;
  for (const path of ['/metrics', '/readyz']) {
    const answer = await ask(place, 'GET', path, { headers: { authorization: `Bearer ${metricsToken ?? ''}` } });
    told.push({ what: path, answer });
  }

  const hidden = [...Object.values(secrets), metricsToken ?? '', ...Object.values(others)].flatMap(formsOf);
  const places = [folder, daemon.folder, 'file://'];
  for (const { what, answer } of told) {
    const text = `${JSON.stringify(answer.headers)} ${answer.text}`;
    for (const value of [...hidden, ...places])
      assert.ok(!text.includes(value), `${what} tells ${value}: ${text.slice(0, 2000)}`);
    assert.doesNotMatch(answer.text, new RegExp(`at (?:\\w+\\.)?${stackMarker} \\(`), `${what} tells a stack`);
  }
});
