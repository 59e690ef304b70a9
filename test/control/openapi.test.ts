// The published documents are the operation table and the schemas themselves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { errorKinds } from '../../protocol/errors.ts';
import { type Operation, commonErrors } from '../../protocol/operation.ts';
import { operationNames, operations } from '../../protocol/operations.ts';
import { startControl } from '../labs/control-lab.ts';
import { ask } from '../labs/http-client.ts';

interface Described {
  readonly operationId: string;
  readonly 'x-audience': string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly schema: object;
  }[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Record<string, { readonly schema: { readonly properties: object } }>;
  };
  readonly responses: Record<
    string,
    {
      readonly content: Record<
        string,
        {
          readonly schema: {
            readonly allOf?: readonly {
              readonly properties?: { readonly code: { readonly enum: readonly string[] } };
            }[];
          };
        }
      >;
    }
  >;
}

interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Record<string, Record<string, Described>>;
}

test('the OpenAPI document has every operation of the table, with every parameter and every error', async (t) => {
  const { path } = await startControl(t);
  const { status, headers, json } = await ask(path, 'GET', '/api/openapi.json');
  assert.deepEqual([status, headers['content-type']], [200, 'application/json; charset=utf-8']);
  const document = json as unknown as Document;
  assert.match(document.openapi, /^3\.1\./);
  assert.equal(document.info.version, '1.2.3');
  const ids = Object.values(document.paths).flatMap((methods) =>
    Object.values(methods).map((described) => described.operationId),
  );
  assert.deepEqual(ids.sort(), [...operationNames].sort());
  for (const name of operationNames) {
    const row: Operation = operations[name];
    const described = document.paths[row.http.path]?.[row.http.method.toLowerCase()];
    assert.equal(described?.operationId, name);
    assert.equal(described['x-audience'], row.audience);
    const body = described.requestBody?.content['application/json']?.schema.properties ?? {};
    assert.deepEqual(
      [
        ...described.parameters.filter((parameter) => parameter.in !== 'header').map((parameter) => parameter.name),
        ...Object.keys(body),
      ].sort(),
      Object.keys(row.params.shape).sort(),
      name,
    );
    for (const code of [...commonErrors, ...row.errors]) {
      const response = described.responses[String(errorKinds[code].status)]?.content['application/problem+json'];
      assert.ok(
        response?.schema.allOf?.some((part) => part.properties?.code.enum.includes(code)),
        `${name} documents ${code}`,
      );
    }
  }
});

test('every error has a status of HTTP and a number of its own on JSON-RPC', () => {
  const numbers = Object.values(errorKinds).map((kind) => kind.rpc);
  assert.equal(new Set(numbers).size, numbers.length);
  for (const [code, kind] of Object.entries(errorKinds)) assert.ok(kind.status >= 400 && kind.status < 600, code);
});

test('the schemas of the files people write are published and accept what the daemon accepts', async (t) => {
  const { path } = await startControl(t);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const manifest = ajv.compile((await ask(path, 'GET', '/api/schemas/manifest.json')).json);
  const minimal = { schemaVersion: 1, id: 'a', name: 'A', version: '1.0.0', entry: './index.js' };
  assert.equal(manifest(minimal), true);
  assert.equal(manifest({ ...minimal, entrie: 'x' }), false);
  const config = ajv.compile((await ask(path, 'GET', '/api/schemas/config.json')).json);
  assert.equal(config({}), true);
  assert.equal(config({ limits: { connections: 0 } }), false);
});

test('every schema in the OpenAPI document can be compiled', async (t) => {
  const { path } = await startControl(t);
  const document = (await ask(path, 'GET', '/api/openapi.json')).json;
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ ...document, $id: 'https://example.test/openapi' });
  let compiled = 0;
  const visit = (at: unknown): void => {
    if (typeof at !== 'object' || at === null) return;
    for (const [key, value] of Object.entries(at)) {
      if (key === 'schema') {
        ajv.compile({ ...(value as object), components: document['components'] });
        compiled += 1;
      } else visit(value);
    }
  };
  visit(document['paths']);
  assert.ok(compiled > operationNames.length * 2);
});
