// Calls that carry events are read without building them. Whatever the reader accepts must be what a parser and the schema
// make of the same bytes, however the line is written and whatever is wrong with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EventReader } from '../daemon/control/event-reader.ts';
import type { ReadEvent } from '../daemon/services/read-event.ts';
import { nestsDeeper } from '../protocol/framing.ts';
import { isRpcId } from '../protocol/json-rpc.ts';
import { operations } from '../protocol/operations.ts';

const limits = { nesting: 12, publishBatch: 4 };

function read(line: string | Buffer): ReturnType<EventReader['read']> {
  const bytes = Buffer.concat([Buffer.from('{"before":1}\n'), Buffer.from(line), Buffer.from('\n{"after":[1]}')]);
  return new EventReader(limits).read(bytes, 13, bytes.length - 14);
}

/** What everything else of the daemon would make of the line. */
function built(line: string | Buffer): { id: unknown; method: unknown; params: { plugin: string; event?: unknown; events?: unknown[]; wait?: boolean; timeoutMs?: number | undefined } } {
  const text = line.toString();
  assert.ok(!nestsDeeper(text, limits.nesting), 'it nests deeper than allowed');
  const { jsonrpc, id, method, params, ...rest } = JSON.parse(text) as Record<string, unknown>;
  assert.equal(jsonrpc, '2.0');
  assert.ok(id === undefined || isRpcId(id));
  assert.deepEqual(rest, {});
  assert.ok(method === 'ingress.publish' || method === 'ingress.deliver');
  const checked = operations[method].params.safeParse(params);
  assert.ok(checked.success, `the schema refuses ${text}`);
  return { id, method, params: checked.data };
}

const asParsed = (event: unknown): unknown => ({ source: 'client', ...(event as Record<string, unknown>) });

function assertSame(line: string | Buffer): boolean {
  const call = read(line);
  if (call === undefined) return false;
  const { id, method, params } = built(line);
  assert.deepEqual([call.id, call.method, call.params.plugin, call.params.wait, call.params.timeoutMs], [id, method, params.plugin, params.wait ?? false, params.timeoutMs]);
  const events = (given: ReadEvent | undefined, raw: unknown): void => {
    assert.equal(given === undefined, raw === undefined);
    if (given === undefined) return;
    assert.deepEqual(given.whole(), asParsed(raw));
    assert.equal(given.payloadBytes, Buffer.byteLength(given.payload));
  };
  events(call.params.event, params.event);
  assert.equal(call.params.events?.length, params.events?.length);
  call.params.events?.forEach((event, at) => events(event, params.events?.[at]));
  return true;
}

const odd = fc.constantFrom('', 'a b', '"', '\\', 'é', '😀', '\ud800', '\n', '\u0000', 'payload', '__proto__', 'toJSON', '}', ']', ',', ':');
const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 10 }), odd);
const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, -0, 1e21, 1e-7, 123456789012345680000, 0.1));
const payload = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof({ maxDepth: 5 }, text, number, fc.boolean(), fc.constant(null), fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(text, tie('value'), { maxKeys: 4 })),
})).value;
const name = fc.oneof({ weight: 6, arbitrary: fc.constantFrom('work', 'orders', 'a.b-c') }, { weight: 1, arbitrary: text });
const rarely = fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constant(1) });
const event = fc.record(
  { ingress: name, kind: name, source: name, payload, correlationId: name, extra: rarely },
  { requiredKeys: ['ingress', 'kind', 'payload'] },
);
const unusual = fc.constantFrom<unknown[]>(86_400_001, 0, 1.5, null, 'true', true);
const wait = fc.oneof({ weight: 9, arbitrary: fc.boolean() }, { weight: 1, arbitrary: unusual });
const timeoutMs = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 86_400_000 }) }, { weight: 1, arbitrary: unusual });
const call = fc.record(
  {
    jsonrpc: fc.constantFrom('2.0', '2.0', '2.0', '2.0', '1.0'),
    id: fc.oneof({ weight: 6, arbitrary: fc.nat() }, ...[fc.integer(), fc.double(), text, fc.constant(null), fc.constant(1e15)].map((arbitrary) => ({ weight: 1, arbitrary }))),
    method: fc.constantFrom('ingress.publish', 'ingress.publish', 'ingress.deliver', 'daemon.ping'),
    params: fc.oneof(
      fc.record({ plugin: fc.oneof({ weight: 6, arbitrary: fc.constantFrom('test.plugin', 'a') }, { weight: 1, arbitrary: text }), event, wait, timeoutMs }, { requiredKeys: ['plugin', 'event'] }),
      fc.record({ timeoutMs, wait, plugin: fc.constant('test.plugin'), events: fc.array(event, { maxLength: 5 }) }, { requiredKeys: ['plugin', 'events'] }),
    ),
    extra: rarely,
  },
  { requiredKeys: ['jsonrpc', 'method', 'params'] },
);

/** The same JSON as another client would write it. */
const writings: readonly ((value: unknown) => string)[] = [
  (value) => JSON.stringify(value),
  // As Python does.
  (value) => JSON.stringify(value, undefined, 1).replaceAll(/\n */g, ' '),
  (value) => ` ${JSON.stringify(value)} `,
  (value) => JSON.stringify(value).replaceAll('e', '\\u0065'),
];

test('what is read of a call is what a parser and the schema make of it', () => {
  let accepted = 0;
  let seen = 0;
  fc.assert(
    fc.property(call, fc.constantFrom(...writings), (value, write) => {
      seen += 1;
      if (assertSame(write(value))) accepted += 1;
    }),
    { numRuns: 6000 },
  );
  assert.ok(accepted > seen / 60, `only ${String(accepted)} of ${String(seen)} were read: the property proves little`);
});

test('a line with something wrong in it is never read as something else', () => {
  const plain = { jsonrpc: '2.0', id: 7, method: 'ingress.publish', params: { plugin: 'test.plugin', events: [{ ingress: 'work', kind: 'do', payload: { a: [1, 2.5, { b: 'text é' }], c: null, d: true } }, { kind: 'do', ingress: 'work', source: 's', correlationId: 'id-1', payload: [[], {}, false, '\u0001"'] }] } };
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.nat(), byte: fc.oneof(fc.constantFrom(...Buffer.from('{}[]",:\\ 0-.e1tfn\t\r')), fc.integer({ min: 0, max: 255 })), how: fc.constantFrom('replace', 'insert', 'remove') }), { minLength: 1, maxLength: 3 }),
      (faults) => {
        let bytes = [...Buffer.from(JSON.stringify(plain))];
        for (const { at, byte, how } of faults) {
          if (byte === 0x0a) continue;
          const place = at % bytes.length;
          bytes = [...bytes.slice(0, place), ...(how === 'remove' ? [] : [byte]), ...bytes.slice(how === 'insert' ? place : place + 1)];
        }
        if (assertSame(Buffer.from(bytes))) accepted += 1;
      },
    ),
    { numRuns: 20_000 },
  );
  assert.ok(accepted > 500, `only ${String(accepted)} were read: the property proves little`);
});

test('what ordinary clients write is read, and every payload stays the text it was', () => {
  const payloads = ['{"a":1}', '[]', '{}', '"text"', '0', '12.5', '-3', 'true', 'false', 'null', '{"é":"😀"}', '[[[1]],{"a":{"b":[]}}]', '"\\u00e9\\n"'.replace('\\u00e9', 'e')];
  for (const one of payloads) {
    for (const line of [
      `{"jsonrpc":"2.0","id":1,"method":"ingress.publish","params":{"plugin":"a","event":{"ingress":"work","kind":"do","payload":${one}}}}`,
      `{"jsonrpc": "2.0", "method": "ingress.deliver", "params": {"event": {"payload": ${one}, "kind": "do", "ingress": "work"}, "plugin": "a"}, "id": "x"}`,
    ]) {
      assert.equal(read(line)?.params.event?.payload, one);
      assertSame(line);
    }
  }
});

test('more than may be is left to those who say so', () => {
  const list = (events: number): string => `{"jsonrpc":"2.0","id":1,"method":"ingress.publish","params":{"plugin":"a","events":[${Array(events).fill('{"ingress":"work","kind":"do","payload":1}').join(',')}]}}`;
  assert.equal(read(list(limits.publishBatch))?.params.events?.length, limits.publishBatch);
  assert.equal(read(list(limits.publishBatch + 1)), undefined);
  const deep = (depth: number): string => `{"jsonrpc":"2.0","id":1,"method":"ingress.publish","params":{"plugin":"a","event":{"ingress":"work","kind":"do","payload":${'['.repeat(depth)}${']'.repeat(depth)}}}}`;
  assert.ok(read(deep(8)) !== undefined && read(deep(9)) === undefined);
});
