// The starter of a service that the daemon feeds from a source: the declaration, a handler of what comes, and a test
// that feeds it without the world outside.

export const starterSources = ['webhook', 'schedule'] as const;
export type StarterSource = (typeof starterSources)[number];

const declarations: Readonly<Record<StarterSource, object>> = {
  webhook: {
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
  schedule: {
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
};

export function sourceManifest(id: string, entry: string, source: StarterSource): Record<string, unknown> {
  return {
    schemaVersion: 1,
    id,
    name: id,
    version: '0.1.0',
    description:
      source === 'webhook' ? 'Says what was pushed to a repository on GitHub.' : 'Does something every morning.',
    entry: `./${entry}`,
    service: declarations[source],
  };
}

const webhookHandler = (typescript: boolean): string =>
  `    // What the daemon has verified; the secret stays with it.
    const { body } = ${typescript ? '(event.payload as { body: { ref: string } })' : 'event.payload'};
    ctx.log.info('pushed', { ref: body.ref });
    return { pushed: body.ref };`;

const scheduleHandler = (typescript: boolean): string =>
  `    const { scheduledAt, missed } = ${typescript ? '(event.payload as { scheduledAt: string; missed: boolean })' : 'event.payload'};
    ctx.log.info('due', { scheduledAt, missed });
    return { day: scheduledAt.slice(0, 10) };`;

export function sourceEntry(source: StarterSource, typescript: boolean): string {
  return `// The daemon runs the source that plugin.json declares; its events come to handleIngress(), one at a time.
import { defineService } from 'nagaya/sdk';

export const service = defineService({
  start(ctx) {
    ctx.log.info('ready', { incarnation: ctx.incarnation });
  },

  handleIngress(event, ctx) {
${source === 'webhook' ? webhookHandler(typescript) : scheduleHandler(typescript)}
  },
});
`;
}

const cases: Readonly<Record<StarterSource, string>> = {
  webhook: `test('says what was pushed', async () => {
  const { output } = await plugin.emit('github', { ref: 'refs/heads/main' });
  assert.deepEqual(output, { pushed: 'refs/heads/main' });
});`,
  schedule: `test('is told when it was due', async () => {
  const { output } = await plugin.emit('morning', {
    scheduledAt: '2026-05-01T07:00:00.000Z',
    firedAt: '2026-05-01T07:00:00.003Z',
    missed: false,
    manual: false,
  });
  assert.deepEqual(output, { day: '2026-05-01' });
});`,
};

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

${cases[source]}
`;
}
