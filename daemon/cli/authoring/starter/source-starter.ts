// The starter of a service that the daemon feeds from a source: the declaration, a handler of what comes, and a test
// that feeds it without the world outside.

export const starterSources = ['webhook', 'websocket', 'schedule', 'files'] as const;
export type StarterSource = (typeof starterSources)[number];

interface Starter {
  readonly description: string;
  /** Of the manifest's `service`. */
  readonly declaration: object;
  /** What the handler does, given how it reads its payload. */
  handler(payload: (type: string) => string): string;
  readonly test: string;
}

const starters: Readonly<Record<StarterSource, Starter>> = {
  webhook: {
    description: 'Says what was pushed to a repository on GitHub.',
    declaration: {
      ingresses: [{ name: 'pushes', kinds: ['push'] }],
      sources: [
        {
          name: 'github',
          type: 'webhook',
          ingress: 'pushes',
          kind: 'push',
          verify: { scheme: 'github', secretEnv: ['GITHUB_SECRET'] },
          kindFrom: { header: 'x-github-event' },
          idFrom: { header: 'x-github-delivery' },
        },
      ],
    },
    handler: (payload) => `    // What the daemon has verified; the secret stays with it.
    const { body } = ${payload('{ body: { ref: string } }')};
    ctx.log.info('pushed', { ref: body.ref });
    return { pushed: body.ref };`,
    test: `test('says what was pushed', async () => {
  const { output } = await plugin.emit('github', { ref: 'refs/heads/main' });
  assert.deepEqual(output, { pushed: 'refs/heads/main' });
});`,
  },
  websocket: {
    description: 'Answers what is said in a chat, over a connection that the daemon keeps.',
    declaration: {
      ingresses: [{ name: 'messages', kinds: ['text'] }],
      sources: [
        {
          name: 'chat',
          type: 'websocket',
          ingress: 'messages',
          kind: 'text',
          url: 'ws://127.0.0.1:8090/socket',
          heartbeat: { everyMs: 30_000, expectMs: 60_000 },
        },
      ],
      outputs: [{ name: 'reply', type: 'websocket', source: 'chat' }],
    },
    handler: (
      payload,
    ) => `    // One message of the peer. The daemon connects, reconnects and notices when the peer is gone.
    const { data } = ${payload('{ data: { text: string } }')};
    ctx.log.info('heard', { text: data.text });
    ctx.send('reply', { text: \`You said: \${data.text}\` });
    return { heard: data.text };`,
    test: `test('answers what was said', async () => {
  const { output } = await plugin.emit('chat', { text: 'hello' });
  assert.deepEqual(output, { heard: 'hello' });
  const [reply] = await plugin.sent('reply');
  assert.deepEqual(reply.body, { text: 'You said: hello' });
});`,
  },
  schedule: {
    description: 'Does something every morning.',
    declaration: {
      ingresses: [{ name: 'times', kinds: ['due'] }],
      sources: [
        {
          name: 'morning',
          type: 'schedule',
          ingress: 'times',
          kind: 'due',
          cron: '0 7 * * *',
          timezone: 'UTC',
          missed: 'once',
        },
      ],
    },
    handler: (payload) => `    const { scheduledAt, missed } = ${payload('{ scheduledAt: string; missed: boolean }')};
    ctx.log.info('due', { scheduledAt, missed });
    return { day: scheduledAt.slice(0, 10) };`,
    test: `test('is told when it was due', async () => {
  const { output } = await plugin.emit('morning', {
    scheduledAt: '2026-05-01T07:00:00.000Z',
    firedAt: '2026-05-01T07:00:00.003Z',
    missed: false,
    manual: false,
  });
  assert.deepEqual(output, { day: '2026-05-01' });
});`,
  },
  files: {
    description: 'Says what was put into a folder.',
    declaration: {
      ingresses: [{ name: 'files', kinds: ['added'] }],
      sources: [{ name: 'inbox', type: 'files', ingress: 'files', kind: 'added', paths: ['inbox'] }],
    },
    handler: (
      payload,
    ) => `    // A file that is whole: nobody has written to it for a second. Make the folder inbox beside plugin.json.
    const { path, bytes } = ${payload('{ path: string; bytes: number }')};
    ctx.log.info('a file has come', { path, bytes });
    return { path, bytes };`,
    test: `test('is told what has come', async () => {
  const file = { path: '/somewhere/inbox/report.txt', bytes: 12, modifiedAt: '2026-05-01T07:00:00.000Z' };
  const { output } = await plugin.emit('inbox', file);
  assert.deepEqual(output, { path: file.path, bytes: 12 });
});`,
  },
};

export const sourceManifest = (id: string, entry: string, source: StarterSource): Record<string, unknown> => ({
  schemaVersion: 1,
  id,
  name: id,
  version: '0.1.0',
  description: starters[source].description,
  entry: `./${entry}`,
  service: starters[source].declaration,
});

export function sourceEntry(source: StarterSource, typescript: boolean): string {
  const payload = (type: string): string => (typescript ? `(event.payload as ${type})` : 'event.payload');
  return `// The daemon runs the source that plugin.json declares; its events come to handleIngress(), one at a time.
import { defineService } from 'nagaya/sdk';

export const service = defineService({
  start(ctx) {
    ctx.log.info('ready', { incarnation: ctx.incarnation });
  },

  handleIngress(event, ctx) {
${starters[source].handler(payload)}
  },
});
`;
}

export function sourceTest(source: StarterSource): string {
  return `// Runs the plugin as a daemon would, and feeds it what its source would bring.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testPlugin } from 'nagaya/sdk';

let plugin;
before(async () => {
  plugin = await testPlugin(import.meta.dirname);
});
after(() => plugin.close());

${starters[source].test}
`;
}
