// The values in printed commands fit the schemas they were made from, whatever a plugin puts there.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sampleValue } from '../../daemon/cli/authoring/sample-value.ts';
import { compileSchema } from '../../workers/json-schema.ts';
import { examplesFolder } from '../labs/cli-process.ts';

const schemas: Record<string, unknown> = {
  'an example': { type: 'string', examples: ['Ada'] },
  'a constant': { const: 42 },
  'a choice': { enum: ['b', 'a'] },
  'a short text': { type: 'string', minLength: 9 },
  'a number with a least value': { type: 'integer', minimum: 100 },
  'a nested object': {
    type: 'object',
    required: ['who', 'tags'],
    properties: {
      who: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
      tags: { type: 'array', minItems: 1, items: { type: 'boolean' } },
      optional: { type: 'null' },
    },
  },
  'an alternative': { anyOf: [{ type: 'number' }, { type: 'string' }] },
  'several types': { type: ['string', 'null'] },
  anything: {},
};

for (const [name, schema] of Object.entries(schemas)) {
  test(`a sample of ${name} is valid`, async () => {
    assert.deepEqual((await compileSchema(JSON.stringify(schema)))(sampleValue(schema)), []);
  });
}

test('a schema that nests without end, or is none, gives a value all the same', () => {
  const endless: Record<string, unknown> = { type: 'object', required: ['next'], properties: {} };
  endless['properties'] = { next: endless };
  assert.equal(typeof sampleValue(endless), 'object');
  for (const odd of [
    true,
    null,
    'text',
    7,
    [],
    { type: 'unheard of' },
    { required: 'x', type: 'object' },
    { anyOf: [] },
  ])
    sampleValue(odd);
});

test('every sample plugin has inputs and payloads that its own schemas accept', async () => {
  for (const folder of readdirSync(examplesFolder)) {
    // The samples' own manifests, which other tests check whole.
    const manifest = JSON.parse(readFileSync(join(examplesFolder, folder, 'plugin.json'), 'utf8')) as {
      service?: { ingresses: { payloadSchema?: unknown }[] };
      tools?: { inputSchema?: unknown }[];
    };
    for (const schema of [
      ...(manifest.service?.ingresses ?? []).map((ingress) => ingress.payloadSchema ?? {}),
      ...(manifest.tools ?? []).map((tool) => tool.inputSchema),
    ]) {
      assert.deepEqual((await compileSchema(JSON.stringify(schema)))(sampleValue(schema)), [], folder);
    }
  }
});
