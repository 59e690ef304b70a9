// Nothing that a browser is told holds a path, an environment value, a token or a stack: every operation that it may
// call is called in every way the table allows, at a daemon whose plugins tell all they know.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type * as z from 'zod';
import { browserProjection } from '../../daemon/control/browser/browser-projection.ts';
import { tokenFile } from '../../daemon/control/browser/tokens.ts';
import { type ErrorCode, HostError, errorCodes, errorKinds } from '../../protocol/errors.ts';
import type { Operation } from '../../protocol/operation.ts';
import { type OperationName, operationNames, operations } from '../../protocol/operations.ts';
import { openStream, startBrowserLab } from '../labs/browser-lab.ts';
import { type HttpAnswer, ask } from '../labs/http-client.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';
import { until } from '../labs/until.ts';

const fixture = fileURLToPath(new URL('../fixtures/leaks', import.meta.url));
const browserNames = operationNames.filter((name) => operations[name].audience === 'browser');
const secret = 'planted-secret-of-the-environment-42';
const stackMarker = 'stackMarker';

/** A secret and the forms in which it may stand in an answer. */
const formsOf = (value: string): string[] => [
  value,
  JSON.stringify(value).slice(1, -1),
  encodeURIComponent(value),
  Buffer.from(value).toString('base64').replace(/=+$/, ''),
  Buffer.from(value).toString('hex'),
];

interface Asked {
  readonly name: OperationName;
  readonly what: string;
  readonly answer: HttpAnswer;
}

/** What a browser could put where the table has a parameter of that name. */
interface Guesses {
  readonly segments: Readonly<Record<string, readonly string[]>>;
  readonly bodies: readonly object[];
  readonly queries: readonly string[];
}

/** Every combination of the guesses for one operation. */
function* requestsOf(
  row: Operation,
  { segments, bodies, queries }: Guesses,
): Generator<{ path: string; body?: object }> {
  let paths: string[] = [row.http.path];
  for (const [, name = ''] of row.http.path.matchAll(/\{(\w+)\}/g)) {
    const known = segments[name];
    assert.ok(known !== undefined, `the crawl knows nothing to put in the place of {${name}}; teach it`);
    paths = paths.flatMap((path) => known.map((value) => path.replace(`{${name}}`, encodeURIComponent(value))));
  }
  for (const path of paths) {
    if (row.http.method === 'POST') for (const body of bodies) yield { path, body };
    else for (const query of queries) yield { path: `${path}${query}` };
  }
}

test(
  'every operation a browser may call, answered and refused, tells nothing that was planted',
  { timeout: 150_000 },
  async (t) => {
    const token = 'token-of-the-configuration-for-all';
    const config = {
      http: { port: 0, token },
      plugins: { overrides: { 'leaks.everything': { config: { planted: 'PLANTED-IN-THE-CONFIG' } } } },
    };
    const daemon = await startTestDaemon(t, { plugins: [fixture], config, env: { LEAK_SECRET: secret } });
    const client = await daemon.connect();
    const status = await client.call('daemon.status', {});
    const [host = '', port = ''] = status.browser?.address.split(':') ?? [];
    const place = { host, port: Number(port) };
    const headers = { authorization: `Bearer ${token}` };
    const kept = JSON.parse(readFileSync(tokenFile(status.stateFolder), 'utf8')) as {
      token: string;
      readToken: string;
    };
    const planted = [
      secret,
      status.socket,
      status.stateFolder,
      daemon.folder,
      fixture,
      token,
      kept.token,
      kept.readToken,
      stackMarker,
      'PLANTED-IN-THE-CONFIG',
      join(homedir(), '.local'),
      '    at ',
      'index.js',
      '/dist/',
      process.execPath,
    ];

    const create = async (profile: string): Promise<string> => {
      const { workerId } = await client.call('worker.create', {
        runtimeId: 'backend-internal',
        intent: 'to leak',
        profile: `leaks.everything:${profile}`,
      });
      await client.call('worker.input', { runtimeId: 'backend-internal', workerId, content: 'tell' });
      return workerId;
    };
    const workers = [await create('says'), await create('throws'), await create('crashes'), await create('broken')];
    for (const content of ['throw', 'crash'])
      await client.call('worker.input', { runtimeId: 'local', workerId: 'leaks.everything', content });
    const streams = await Promise.all(
      workers.map((id) => openStream(t, place, `/api/runtimes/backend-internal/workers/${id}/events`, headers)),
    );
    for (const id of workers) {
      await until('snapshots', () => streams.every((stream) => stream.events().length > 0));
      await until(
        'each has come to its end',
        async () =>
          (await client.call('worker.show', { runtimeId: 'backend-internal', workerId: id })).state !== 'busy',
      );
    }
    await until(
      'the service has failed',
      async () => (await client.call('service.status', { plugin: 'leaks.everything' })).lifecycle === 'failed',
    );

    const guesses: Guesses = {
      segments: {
        runtimeId: ['backend-internal', 'local', 'nowhere', 'not valid', '../..'],
        workerId: [...workers, 'leaks.everything', 'nobody', 'not valid'],
      },
      bodies: [
        {},
        { intent: 'x' },
        { intent: 'x', profile: 'leaks.everything:throws', requestKey: 'key' },
        { intent: 'y', profile: 'leaks.everything:says', requestKey: 'key' },
        { intent: 'x', profile: 'nobody.has:this' },
        { content: 'throw' },
        { content: 'again', kind: 'system', inputId: 'one' },
        { content: 'x'.repeat(100_000) },
        { content: 7, intent: { deep: [] }, unknown: true },
      ],
      queries: ['', '?limit=1', '?limit=100000', '?after=nonsense', '?start=0', '?unknown=1'],
    };
    const asked: Asked[] = [];
    for (const name of browserNames) {
      const row: Operation = operations[name];
      // Stopping comes last: the others are to find workers that live.
      if (row.stream === true || name === 'worker.stop') continue;
      for (const { path, body } of requestsOf(row, guesses))
        asked.push({
          name,
          what: `${row.http.method} ${path} ${JSON.stringify(body)}`,
          answer: await ask(place, row.http.method, path, { headers, ...(body === undefined ? {} : { body }) }),
        });
    }
    for (const { path, body } of requestsOf(operations['worker.stop'], { ...guesses, bodies: [{}, { unknown: 1 }] }))
      asked.push({
        name: 'worker.stop',
        what: path,
        answer: await ask(place, 'POST', path, { headers, ...(body === undefined ? {} : { body }) }),
      });
    for (const { path } of requestsOf(operations['worker.events'], {
      ...guesses,
      segments: { ...guesses.segments, workerId: ['nobody', 'not valid', 'leaks.everything'] },
    }))
      asked.push({ name: 'worker.events', what: path, answer: await ask(place, 'GET', path, { headers }) });
    for (const path of [
      '/',
      '/session',
      '/api/openapi.json',
      '/api/schemas/config.json',
      '/open/x',
      '/api/plugins',
      '/nowhere',
    ])
      asked.push({ name: 'runtime.list', what: path, answer: await ask(place, 'GET', path, { headers }) });

    for (const name of browserNames) {
      const answers = asked.filter((each) => each.name === name).map(({ answer }) => answer);
      if (name !== 'worker.events')
        assert.ok(
          answers.some(({ status: answered }) => answered === 200),
          `${name} was never answered; teach the crawl its parameters`,
        );
      assert.ok(
        answers.some(({ status: answered, json }) => answered >= 400 && typeof json['code'] === 'string'),
        `${name} was never refused`,
      );
    }
    const texts = [
      ...asked.map(({ what, answer }) => ({ what, text: answer.text + JSON.stringify(answer.headers) })),
      ...streams.map((stream, at) => ({ what: `stream ${String(at)}`, text: JSON.stringify(stream.events()) })),
    ];
    assert.ok(texts.length > 300);
    for (const { what, text } of texts) {
      // The published documents name the forms of paths and files; none of them is a place on this machine.
      const looked =
        what.startsWith('/api/openapi') || what.startsWith('/api/schemas') || what === '/'
          ? planted.filter((value) => !['index.js', '/dist/', '    at '].includes(value))
          : planted;
      for (const value of looked)
        for (const form of formsOf(value))
          assert.ok(
            !text.includes(form),
            `${what} tells ${value}: ${text.slice(Math.max(0, text.indexOf(form) - 200), text.indexOf(form) + 200)}`,
          );
    }
    // The errors were there to be told: what is known to the operator is what browsers do not get.
    assert.match(
      JSON.stringify(await client.call('service.status', { plugin: 'leaks.everything' })),
      /PLANTED-IN-THE-CONFIG/,
    );
    assert.ok(
      texts.some(({ text }) => text.includes('cell_crashed')) &&
        texts.some(({ text }) => text.includes('dispatch_failed')),
    );
  },
);

test('whatever error a handler throws, a browser gets its code and no word a plugin could have written', async (t) => {
  let thrown: unknown;
  const throwing = Object.fromEntries(browserNames.map((name) => [name, () => Promise.reject(thrown)]));
  const lab = await startBrowserLab(t, { handlers: throwing });
  const words = 'WORDS-OF-A-PLUGIN /home/somebody/state';
  const details = {
    cause: { name: words, message: words, stack: `${words}\n    at x` },
    where: words,
    lastError: words,
    stack: words,
    limit: words,
    runtimeId: words,
    path: words,
    expected: words,
    at: words,
    retryAfterMs: 1500,
    issues: [{ path: 'payload.text', message: words }],
    [words]: words,
  };
  const inner: ErrorCode[] = [
    'dispatch_failed',
    'dispatch_timeout',
    'cell_crashed',
    'start_failed',
    'stop_failed',
    'tool_failed',
    'invalid_event',
    'internal',
    'runtime_unavailable',
    'queue_full',
    'plugin_invalid',
    'profile_not_found',
  ];
  const request = { 'worker.create': { intent: 'x' }, 'worker.input': { content: 'x' } } as Partial<
    Record<OperationName, object>
  >;
  const askAll = async (name: OperationName): Promise<HttpAnswer> => {
    const { method, path } = operations[name].http;
    return await lab.ask(
      method,
      path.replaceAll(/\{\w+\}/g, 'x'),
      method === 'POST' ? { body: request[name] ?? {} } : {},
    );
  };
  for (const name of browserNames) {
    for (const code of inner) {
      thrown = new HostError(code, words, details);
      const answer = await askAll(name);
      assert.deepEqual(
        [answer.status, answer.json['code'], answer.json['detail']],
        [errorKinds[code].status, code, errorKinds[code].meaning],
      );
      assert.deepEqual(answer.json['details'], {
        retryAfterMs: 1500,
        issues: [{ path: 'payload.text', message: 'is not valid' }],
      });
      assert.ok(!answer.text.includes('WORDS'));
    }
    thrown = Object.assign(new Error(words), details);
    const unforeseen = await askAll(name);
    assert.deepEqual([unforeseen.status, unforeseen.json['code']], [500, 'internal']);
    assert.ok(!unforeseen.text.includes('WORDS'));
  }
  for (const code of errorCodes) assert.equal(browserProjection.error(new HostError(code, '', {})).code, code);
});

test('fields that no schema names fall away, however deep they stand', async (t) => {
  const hidden = { socket: '/run/secret.sock', token: 'SECRET' };
  const workers = { total: 0, idle: 0, busy: 0, stopped: 0, failed: 0, ...hidden };
  const capabilities = {
    canListWorkers: true,
    canShowWorker: true,
    canCreateWorker: true,
    canSendInput: true,
    canStopWorker: true,
    canCancelWorker: true,
    canReadTranscript: true,
    canStreamEvents: true,
    maxWorkers: 1,
    ...hidden,
  };
  const diagnostics = [
    {
      at: '2026-01-01T00:00:00.000Z',
      level: 'error' as const,
      code: 'runtime_unavailable',
      message: 'connect /run/secret.sock',
      ...hidden,
    },
  ];
  const lab = await startBrowserLab(t, {
    handlers: {
      'runtime.list': () => ({
        runtimes: [
          {
            runtimeId: 'r',
            displayName: 'R',
            kind: 'embedded' as const,
            status: 'running' as const,
            capabilities,
            workers,
            diagnostics,
            ...hidden,
          },
        ],
        ...hidden,
      }),
    },
  });
  const { status, text, json } = await lab.ask('GET', '/api/runtimes');
  assert.equal(status, 200, text);
  assert.ok(!/secret/i.test(text), text);
  const [runtime] = json['runtimes'] as { diagnostics: { message: string }[] }[];
  assert.equal(runtime?.diagnostics[0]?.message, errorKinds.runtime_unavailable.meaning);
});

interface Definition {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly catchall?: z.ZodType;
}

/** The paths of what would let anything through. */
function openEnds(schema: z.ZodType, path: string): string[] {
  const definition = schema.def as unknown as Definition;
  const plain = ['string', 'number', 'int', 'boolean', 'enum', 'literal', 'null'];
  if (plain.includes(definition.type)) return [];
  if (definition.type === 'object' && definition.catchall === undefined)
    return Object.entries(definition.shape ?? {}).flatMap(([name, field]) => openEnds(field, `${path}.${name}`));
  if (definition.type === 'array' && definition.element !== undefined) return openEnds(definition.element, `${path}[]`);
  if (definition.type === 'union') return (definition.options ?? []).flatMap((option) => openEnds(option, path));
  if (['optional', 'nullable', 'default'].includes(definition.type) && definition.innerType !== undefined)
    return openEnds(definition.innerType, path);
  return [`${path} (${definition.type})`];
}

test('the answers that browsers get are made of named fields only', () => {
  assert.deepEqual(
    browserNames.flatMap((name) => openEnds(operations[name].result, name)),
    [],
  );
});
