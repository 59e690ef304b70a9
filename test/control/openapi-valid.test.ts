// The OpenAPI document of a real daemon, held against the specification by a public validator and against itself.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { Operation } from '../../protocol/operation.ts';
import { type OperationName, operationNames, operations } from '../../protocol/operations.ts';
import { ask } from '../labs/http-client.ts';
import { type Document, placesOf, under } from '../labs/openapi-document.ts';
import { startTestDaemon } from '../labs/test-daemon.ts';

async function published(t: TestContext): Promise<Document & Record<string, unknown>> {
  const { socket } = await startTestDaemon(t);
  return (await ask(socket, 'GET', '/api/openapi.json')).json as Document & Record<string, unknown>;
}

const verdictOn = async (document: Record<string, unknown>): Promise<boolean> =>
  (await new Validator().validate(structuredClone(document))).valid;

test('a public validator accepts the document, and would not accept a wrong one', async (t) => {
  const document = await published(t);
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors, null, 2));
  assert.equal(validator.version, '3.1');
  assert.equal(await verdictOn({ ...document, info: { title: 'no version' } }), false);
  const { get, ...others } = document.paths['/api/ping'] ?? {};
  assert.equal(
    await verdictOn({ ...document, paths: { '/api/ping': { ...others, get: { ...get, responses: { 200: {} } } } } }),
    false,
  );
});

test('every reference leads somewhere inside the document, and every component is referred to', async (t) => {
  const document = await published(t);
  const references = under('$ref', document).map(String);
  assert.ok(references.length > 0);
  for (const reference of references) {
    const target = reference
      .split('/')
      .slice(1)
      .reduce<unknown>(
        (at, key) => (at as Record<string, unknown> | undefined)?.[key.replaceAll('~1', '/').replaceAll('~0', '~')],
        document,
      );
    assert.ok(reference.startsWith('#/') && typeof target === 'object', reference);
  }
  const { securitySchemes = {}, ...referred } = document.components;
  for (const [kind, components] of Object.entries(referred)) {
    for (const name of Object.keys(components))
      assert.ok(references.includes(`#/components/${kind}/${name}`), `nothing refers to ${kind} ${name}`);
  }
  const asked = new Set(
    placesOf(document)
      .flatMap(({ described }) => described.security ?? [])
      .flatMap((one) => Object.keys(one)),
  );
  assert.deepEqual([...asked].sort(), Object.keys(securitySchemes).sort());
});

test('every operation of the table stands there once, at its own place, with the parameters of its path', async (t) => {
  const document = await published(t);
  const places = placesOf(document);
  assert.deepEqual(places.map(({ described }) => described.operationId).sort(), [...operationNames].sort());
  for (const { path, method, described } of places) {
    const { http } = operations[described.operationId as OperationName];
    assert.deepEqual([method.toUpperCase(), path], [http.method, http.path]);
    const inPath = described.parameters.filter((parameter) => parameter.in === 'path');
    assert.deepEqual(
      inPath.map(({ name }) => name),
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
      described.operationId,
    );
    assert.ok(inPath.every(({ required }) => required));
  }
  const shapes = Object.keys(document.paths).map((path) => path.replaceAll(/\{\w+\}/g, '{}'));
  assert.equal(new Set(shapes).size, shapes.length, 'no two paths differ only in the names of their parameters');
});

test('an operation that streams declares server-sent events and what they hold, and no other does', async (t) => {
  for (const { described } of placesOf(await published(t))) {
    const row: Operation = operations[described.operationId as OperationName];
    const content = described.responses['200']?.content ?? {};
    assert.deepEqual(
      Object.keys(content),
      [row.stream === true ? 'text/event-stream' : 'application/json'],
      described.operationId,
    );
    assert.equal(under('x-data', content).length, row.stream === true ? 1 : 0, described.operationId);
  }
});

test('what a browser may call names its tokens, and nothing else does', async (t) => {
  for (const { described } of placesOf(await published(t))) {
    const { audience } = operations[described.operationId as OperationName];
    const onPort = audience !== 'control';
    assert.equal(described['x-audience'], audience);
    assert.equal((described.security ?? []).length > 0, onPort, described.operationId);
    const withToken = (described.security ?? []).some((scheme) => 'token' in scheme);
    assert.equal(withToken, audience === 'browser', described.operationId);
    for (const status of ['401', '403'])
      assert.equal(status in described.responses, onPort, `${described.operationId} ${status}`);
  }
});
