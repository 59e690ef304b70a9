// The starter of a service: one ingress, one kind, a bit of state and a test of all three.

export function serviceManifest(id: string, entry: string): Record<string, unknown> {
  return {
    schemaVersion: 1,
    id,
    name: id,
    version: '0.1.0',
    description: 'Greets whoever is named in an event.',
    entry: `./${entry}`,
    service: {
      ingresses: [
        {
          name: 'messages',
          kinds: ['text'],
          payloadSchema: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string', minLength: 1, examples: ['Ada'] } },
          },
        },
      ],
    },
  };
}

export function serviceEntry(typescript: boolean): string {
  const payload = typescript ? '(event.payload as { name: string })' : 'event.payload';
  return `// start() initialises and returns; events then come to handleIngress(), one at a time.
import { defineService } from 'nagaya/sdk';

let greeted = 0;

export const service = defineService({
  start(ctx) {
    ctx.log.info('ready', { incarnation: ctx.incarnation });
  },

  // What is returned is what \`nagaya deliver\` prints. The payload has passed the payloadSchema of plugin.json.
  handleIngress(event, ctx) {
    const { name } = ${payload};
    greeted += 1;
    ctx.log.info('greeting', { name });
    return { greeting: \`Hello, \${name}!\` };
  },

  // What \`nagaya status\` shows as "reported".
  status() {
    return { greeted };
  },
});
`;
}

export function serviceTest(): string {
  return `// Runs the plugin as a daemon would: in a cell of its own, with its manifest's limits.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testPlugin } from 'nagaya/sdk';

let plugin;
before(async () => {
  plugin = await testPlugin(import.meta.dirname);
});
after(() => plugin.close());

test('greets by name', async () => {
  const { output } = await plugin.deliver({ name: 'Ada' });
  assert.deepEqual(output, { greeting: 'Hello, Ada!' });
});

test('refuses a payload without a name', async () => {
  await assert.rejects(plugin.deliver({}), { code: 'payload_invalid' });
});

test('counts whom it greeted', async () => {
  const { reported } = await plugin.status();
  assert.deepEqual(reported.value, { greeted: 1 });
});
`;
}
