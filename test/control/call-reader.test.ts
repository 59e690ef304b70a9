// Calls that carry events, and calls of tools, are read without building them. Whatever the reader accepts must be what
// a parser and the schema make of the same bytes, however the line is written and whatever is wrong with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CallReader, type ReadCall } from '../../daemon/control/rpc/call-reader.ts';
import { EventParams } from '../../daemon/control/rpc/event-params.ts';
import { ToolParams } from '../../daemon/control/rpc/tool-params.ts';
import type { ReadEvent } from '../../daemon/dispatch/read-event.ts';
import { nestsDeeper } from '../../protocol/framing.ts';
import { isRpcId } from '../../protocol/json-rpc.ts';
import { type OperationParams, operations } from '../../protocol/operations.ts';

const limits = { nesting: 12, publishBatch: 4 };

function read(line: string | Buffer): ReadCall | undefined {
  const bytes = Buffer.concat([Buffer.from('{"before":1}\n'), Buffer.from(line), Buffer.from('\n{"after":[1]}')]);
  return new CallReader(limits).read(bytes, 13, bytes.length - 14);
}

function eventsOf(line: string): EventParams | undefined {
  const params = read(line)?.params;
  assert.ok(params === undefined || params instanceof EventParams);
  return params;
}

function toolOf(line: string): ToolParams | undefined {
  const params = read(line)?.params;
  assert.ok(params === undefined || params instanceof ToolParams);
  return params;
}

type Method = 'ingress.publish' | 'ingress.deliver' | 'tool.call';
type EventCallParams = OperationParams<'ingress.deliver'> & {
  readonly events?: readonly unknown[] | undefined;
  readonly wait?: boolean;
};

/** What everything else of the daemon would make of the line. */
function built(line: string | Buffer): { readonly id: unknown; readonly method: Method; readonly params: unknown } {
  const text = line.toString();
  assert.ok(!nestsDeeper(text, limits.nesting), 'it nests deeper than allowed');
  const { jsonrpc, id, method, params, ...rest } = JSON.parse(text) as Record<string, unknown>;
  assert.equal(jsonrpc, '2.0');
  assert.ok(id === undefined || isRpcId(id));
  assert.deepEqual(rest, {});
  assert.ok(method === 'ingress.publish' || method === 'ingress.deliver' || method === 'tool.call');
  const checked = operations[method].params.safeParse(params);
  assert.ok(checked.success, `the schema refuses ${text}`);
  return { id, method, params: checked.data };
}

const asParsed = (event: unknown): unknown => ({ source: 'client', ...(event as Record<string, unknown>) });

/** False where the line was left to others. */
function assertSame(line: string | Buffer): Method | false {
  const call = read(line);
  if (call === undefined) return false;
  const { id, method, params } = built(line);
  assert.deepEqual([call.id, call.method], [id, method]);
  // The schema of this method has passed them.
  if (method === 'tool.call') assertSameTool(call.params, params as OperationParams<'tool.call'>);
  else assertSameEvents(call.params, params as EventCallParams);
  return method;
}

function assertSameTool(given: unknown, { input, ...rest }: OperationParams<'tool.call'>): void {
  assert.ok(given instanceof ToolParams);
  const { plugin, tool, timeoutMs, callId } = given;
  assert.deepEqual({ timeoutMs: undefined, callId: undefined, ...rest }, { plugin, tool, timeoutMs, callId });
  assert.deepEqual(given.input === undefined ? undefined : JSON.parse(given.input.text), input);
}

function assertSameEvents(given: unknown, { plugin, wait = false, timeoutMs, ...raw }: EventCallParams): void {
  assert.ok(given instanceof EventParams);
  assert.deepEqual([given.plugin, given.wait, given.timeoutMs], [plugin, wait, timeoutMs]);
  const same = (event: ReadEvent | undefined, parsed: unknown): void => {
    assert.equal(event === undefined, parsed === undefined);
    if (event === undefined) return;
    assert.deepEqual(event.whole(), asParsed(parsed));
    assert.equal(event.payloadBytes, Buffer.byteLength(event.payload));
  };
  same(given.event, raw.event);
  assert.equal(given.events?.length, raw.events?.length);
  given.events?.forEach((event, at) => same(event, raw.events?.[at]));
}

const odd = fc.constantFrom(
  '',
  'a b',
  '"',
  '\\',
  'é',
  '😀',
  '\ud800',
  '\n',
  '\u0000',
  'payload',
  '__proto__',
  'toJSON',
  '}',
  ']',
  ',',
  ':',
);
const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 10 }), odd);
const number = fc.oneof(
  { weight: 8, arbitrary: fc.integer() },
  { weight: 4, arbitrary: fc.integer({ max: 100_000 }).map((cents) => cents / 100) },
  fc.double(),
  fc.constantFrom(0, -0, 1e21, 1e-7, 123456789012345680000, 0.1),
);
const payload = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    text,
    number,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(text, tie('value'), { maxKeys: 4 }),
  ),
})).value;
const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('work', 'orders', 'a.b-c') },
  { weight: 1, arbitrary: text },
);
const rarely = fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constant(1) });
const event = fc.record(
  { ingress: name, kind: name, source: name, payload, correlationId: name, key: name, extra: rarely },
  { requiredKeys: ['ingress', 'kind', 'payload'] },
);
const unusual = fc.constantFrom<unknown[]>(86_400_001, 0, 1.5, null, 'true', true);
const wait = fc.oneof({ weight: 9, arbitrary: fc.boolean() }, { weight: 1, arbitrary: unusual });
const timeoutMs = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 1, max: 86_400_000 }) },
  { weight: 1, arbitrary: unusual },
);
const plugin = fc.oneof({ weight: 6, arbitrary: fc.constantFrom('test.plugin', 'a') }, { weight: 1, arbitrary: text });
const callOf = (method: fc.Arbitrary<string>, params: fc.Arbitrary<unknown>) =>
  fc.record(
    {
      jsonrpc: fc.oneof({ weight: 19, arbitrary: fc.constant('2.0') }, { weight: 1, arbitrary: fc.constant('1.0') }),
      id: fc.oneof(
        { weight: 6, arbitrary: fc.nat() },
        ...[fc.integer(), fc.double(), text, fc.constant(null), fc.constant(1e15)].map((arbitrary) => ({
          weight: 1,
          arbitrary,
        })),
      ),
      method,
      params,
      extra: rarely,
    },
    { requiredKeys: ['jsonrpc', 'method', 'params'] },
  );
const eventCall = callOf(
  fc.constantFrom('ingress.publish', 'ingress.publish', 'ingress.deliver', 'daemon.ping'),
  fc.oneof(
    fc.record({ plugin, event, wait, timeoutMs }, { requiredKeys: ['plugin', 'event'] }),
    fc.record(
      { timeoutMs, wait, plugin: fc.constant('test.plugin'), events: fc.array(event, { maxLength: 5 }) },
      { requiredKeys: ['plugin', 'events'] },
    ),
  ),
);
const toolName = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('greet', 'a.b-c', '0', '_x') },
  { weight: 1, arbitrary: fc.constantFrom('-a', '.a', 'a b', 'x'.repeat(65)) },
  { weight: 1, arbitrary: text },
);
const callId = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('call-1', 'a:b.c', '-') },
  { weight: 1, arbitrary: fc.constantFrom('a b', 'x'.repeat(129)) },
  { weight: 1, arbitrary: text },
);
const toolCall = callOf(
  fc.constantFrom('tool.call', 'tool.call', 'tool.call', 'tool.list', 'ingress.publish'),
  fc.record(
    { callId, plugin, tool: toolName, input: payload, timeoutMs, wait: rarely },
    { requiredKeys: ['plugin', 'tool'] },
  ),
);

/** The same JSON as another client would write it. */
const writings: readonly ((value: unknown) => string)[] = [
  (value) => JSON.stringify(value),
  (value) => JSON.stringify(value, undefined, 1).replaceAll(/\n */g, ' '),
  (value) => ` ${JSON.stringify(value)} `,
  // As Python does.
  (value) =>
    JSON.stringify(value).replaceAll(
      /[\u0080-\uffff]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
];

const ownOrder = <Params extends object>(params: Params): fc.Arbitrary<object> =>
  fc
    .shuffledSubarray(Object.entries(params), { minLength: Object.keys(params).length })
    .map((entries) => Object.fromEntries(entries));

for (const [what, call] of [
  ['carries events', eventCall],
  ['calls a tool', toolCall],
] as const) {
  test(`what is read of a call that ${what} is what a parser and the schema make of it`, () => {
    let accepted = 0;
    let seen = 0;
    fc.assert(
      fc.property(
        call.chain(({ params, ...rest }) =>
          ownOrder(params as object).map((shuffled) => ({ ...rest, params: shuffled })),
        ),
        fc.constantFrom(...writings),
        (value, write) => {
          seen += 1;
          if (assertSame(write(value)) !== false) accepted += 1;
        },
      ),
      { numRuns: 6000 },
    );
    assert.ok(
      accepted > seen / 30,
      `only ${String(accepted)} of ${String(seen)} were read: the property proves little`,
    );
  });
}

const plainCalls = {
  'an event': {
    jsonrpc: '2.0',
    id: 7,
    method: 'ingress.publish',
    params: {
      plugin: 'test.plugin',
      events: [
        { ingress: 'work', kind: 'do', payload: { a: [1, 2.5, { b: 'text é' }], c: null, d: true } },
        {
          kind: 'do',
          ingress: 'work',
          source: 's',
          correlationId: 'id-1',
          key: 'k',
          payload: [[], {}, false, '\u0001"'],
        },
      ],
    },
  },
  "a tool's call": {
    jsonrpc: '2.0',
    id: 'x-7',
    method: 'tool.call',
    params: {
      plugin: 'test.plugin',
      tool: 'greet',
      input: { a: [1, 2.5, { b: 'text é' }, [], {}], c: null, d: [true, '\u0001"'] },
      timeoutMs: 5000,
      callId: 'call-1',
    },
  },
};
const fault = fc.record({
  at: fc.nat(),
  byte: fc.oneof(fc.constantFrom(...Buffer.from('{}[]",:\\ 0-.e1tfn\t\r')), fc.integer({ min: 0, max: 255 })),
  how: fc.constantFrom('replace', 'insert', 'remove'),
});

for (const [what, plain] of Object.entries(plainCalls)) {
  test(`a line of ${what} with something wrong in it is never read as something else`, () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(fault, { minLength: 1, maxLength: 3 }), (faults) => {
        let bytes = [...Buffer.from(JSON.stringify(plain))];
        for (const { at, byte, how } of faults) {
          if (byte === 0x0a) continue;
          const place = at % bytes.length;
          bytes = [
            ...bytes.slice(0, place),
            ...(how === 'remove' ? [] : [byte]),
            ...bytes.slice(how === 'insert' ? place : place + 1),
          ];
        }
        if (assertSame(Buffer.from(bytes)) !== false) accepted += 1;
      }),
      { numRuns: 20_000 },
    );
    assert.ok(accepted > 500, `only ${String(accepted)} were read: the property proves little`);
  });
}

test('what ordinary clients write is read, and every payload and input stays the text it was', () => {
  const payloads = [
    '{"a":1}',
    '[]',
    '{}',
    '"text"',
    '0',
    '12.5',
    '-3',
    'true',
    'false',
    'null',
    '{"é":"😀"}',
    '[[[1]],{"a":{"b":[]}}]',
    '"\\u00e9\\n"'.replace('\\u00e9', 'e'),
  ];
  for (const one of payloads) {
    for (const line of [
      `{"jsonrpc":"2.0","id":1,"method":"ingress.publish","params":{"plugin":"a","event":{"ingress":"work","kind":"do","payload":${one}}}}`,
      `{"jsonrpc": "2.0", "method": "ingress.deliver", "params": {"event": {"payload": ${one}, "kind": "do", "ingress": "work"}, "plugin": "a"}, "id": "x"}`,
    ]) {
      assert.equal(eventsOf(line)?.event?.payload, one);
      assertSame(line);
    }
    for (const line of [
      `{"jsonrpc":"2.0","id":1,"method":"tool.call","params":{"plugin":"a","tool":"greet","input":${one}}}`,
      `{"jsonrpc": "2.0", "method": "tool.call", "params": {"callId": "c", "timeoutMs": 100, "input": ${one}, "tool": "greet", "plugin": "a"}, "id": "x"}`,
    ]) {
      assert.equal(toolOf(line)?.input?.text, one);
      assertSame(line);
    }
  }
});

test('more than may be is left to those who say so', () => {
  const list = (events: number): string =>
    `{"jsonrpc":"2.0","id":1,"method":"ingress.publish","params":{"plugin":"a","events":[${Array(events).fill('{"ingress":"work","kind":"do","payload":1}').join(',')}]}}`;
  assert.equal(eventsOf(list(limits.publishBatch))?.events?.length, limits.publishBatch);
  assert.equal(read(list(limits.publishBatch + 1)), undefined);
  const deep = (depth: number): string =>
    `{"jsonrpc":"2.0","id":1,"method":"ingress.publish","params":{"plugin":"a","event":{"ingress":"work","kind":"do","payload":${'['.repeat(depth)}${']'.repeat(depth)}}}}`;
  assert.ok(read(deep(8)) !== undefined && read(deep(9)) === undefined);
  const deepInput = (depth: number): string =>
    `{"jsonrpc":"2.0","id":1,"method":"tool.call","params":{"plugin":"a","tool":"greet","input":${'['.repeat(depth)}${']'.repeat(depth)}}}`;
  assert.ok(read(deepInput(10)) !== undefined && read(deepInput(11)) === undefined);
});

test('a tool is called without an input as it is with none at all', () => {
  const params = toolOf('{"jsonrpc":"2.0","id":1,"method":"tool.call","params":{"plugin":"a","tool":"greet"}}');
  assert.deepEqual([params?.plugin, params?.tool, params?.input], ['a', 'greet', undefined]);
});
