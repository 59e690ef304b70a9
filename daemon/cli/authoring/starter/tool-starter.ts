// The starter of a tool: input and output described by JSON Schema, and a test of a good and a bad call.

export function toolManifest(id: string, entry: string): Record<string, unknown> {
  return {
    schemaVersion: 1,
    id,
    name: id,
    version: '0.1.0',
    description: 'Counts the words of a text.',
    entry: `./${entry}`,
    tools: [
      {
        name: 'count-words',
        description: 'How many words a text has, and which comes most often.',
        inputSchema: {
          type: 'object',
          required: ['text'],
          properties: { text: { type: 'string', examples: ['to be or not to be'] } },
          additionalProperties: false,
        },
        outputSchema: {
          type: 'object',
          required: ['words', 'mostFrequent'],
          properties: { words: { type: 'integer' }, mostFrequent: { type: ['string', 'null'] } },
        },
      },
    ],
  };
}

export function toolEntry(typescript: boolean): string {
  const types = typescript ? '<{ text: string }, { words: number; mostFrequent: string | null }>' : '';
  const map = typescript ? 'new Map<string, number>()' : 'new Map()';
  return `// A tool is a function from an input to an output, both checked against the schemas of plugin.json.
import { defineTool } from 'nagaya/sdk';

const countWords = defineTool${types}((input, ctx) => {
  const counts = ${map};
  for (const word of input.text.toLowerCase().match(/[\\p{L}\\p{N}]+/gu) ?? []) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const [mostFrequent] = [...counts].sort((one, other) => other[1] - one[1])[0] ?? [null];
  const words = [...counts.values()].reduce((sum, count) => sum + count, 0);
  ctx.log.info('counted', { words });
  return { words, mostFrequent };
});

export const tools = { 'count-words': countWords };
`;
}

export function toolTest(): string {
  return `// Runs the plugin as a daemon would: in a cell of its own, with its manifest's limits.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testPlugin } from 'nagaya/sdk';

let plugin;
before(async () => {
  plugin = await testPlugin(import.meta.dirname);
});
after(() => plugin.close());

test('counts words', async () => {
  const { output } = await plugin.call('count-words', { text: 'to be or not to be' });
  assert.deepEqual(output, { words: 6, mostFrequent: 'to' });
});

test('refuses an input without a text', async () => {
  await assert.rejects(plugin.call('count-words', {}), { code: 'tool_input_invalid' });
});
`;
}
