// Most events are admitted without the schema: what it would have said must come out all the same, and the text made by
// hand must be what an encoder would have written.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ingressEventInput } from '../../protocol/event.ts';
import { HostError } from '../../protocol/errors.ts';
import { uuidv7 } from '../../protocol/uuid.ts';
import { Admission } from '../../daemon/services/admission.ts';
import { plainEvent } from '../../daemon/services/plain-event.ts';
import { wholeEvent } from '../../daemon/dispatch/queued-event.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

const declared: Readonly<Record<string, readonly string[]>> = { work: ['do', 'note'], 'other.entrance': ['do'] };
const declares = (ingress: string, kind: string): boolean =>
  Object.hasOwn(declared, ingress) && (declared[ingress] ?? []).includes(kind);

/** As it comes off a socket: parsed from text, so that odd keys are keys of its own. */
const fromText = (value: unknown): unknown => JSON.parse(JSON.stringify(value) ?? 'null') as unknown;

const name = fc.oneof(
  fc.constantFrom('work', 'other.entrance', 'do', 'note', 'toString', '__proto__', ''),
  fc.string({ maxLength: 8 }),
);
const id = fc.oneof(
  fc.constantFrom('client', 'a:b', 'a b', 'ä', '"', 'x'.repeat(128), 'x'.repeat(129), ''),
  fc.string({ maxLength: 12 }),
  fc.jsonValue({ maxDepth: 1 }),
);
const event = fc.record(
  {
    ingress: fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom('work', 'other.entrance') },
      { weight: 2, arbitrary: name },
      { weight: 1, arbitrary: fc.jsonValue() },
    ),
    kind: fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom('do', 'note') },
      { weight: 2, arbitrary: name },
      { weight: 1, arbitrary: fc.jsonValue() },
    ),
    source: id,
    payload: fc.jsonValue(),
    correlationId: id,
    createdAt: fc.oneof(
      fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-01T01:00:00.5+01:00', 'yesterday'),
      fc.jsonValue({ maxDepth: 0 }),
    ),
    attempt: fc.oneof(fc.integer({ min: -1, max: 3 }), fc.jsonValue({ maxDepth: 0 })),
    ['__proto__']: fc.jsonValue({ maxDepth: 1 }),
    payLoad: fc.constant(1),
  },
  { requiredKeys: [] },
);
const plain = fc.record(
  {
    ingress: fc.constant('work'),
    kind: fc.constantFrom('do', 'note'),
    source: fc.constantFrom('client', 'a:b'),
    payload: fc.jsonValue(),
    correlationId: fc.constantFrom('a', 'x.y-z'),
    idempotencyKey: fc.constantFrom('k1', 'not valid', 7),
    key: fc.constantFrom('k1', 'k2', 'k3', 'k4', 'not valid'),
  },
  { requiredKeys: ['ingress', 'kind'] },
);
const sent = fc.oneof(
  { weight: 4, arbitrary: event },
  { weight: 3, arbitrary: plain },
  { weight: 1, arbitrary: fc.jsonValue() },
);

test('what is admitted without the schema is exactly what the schema makes of it', () => {
  let seen = 0;
  fc.assert(
    fc.property(sent, (value) => {
      const raw = fromText(value);
      const fast = plainEvent(raw, declares);
      if (fast === undefined) return;
      seen += 1;
      const { data, success } = ingressEventInput.safeParse(raw);
      assert.ok(success, `the schema refuses ${JSON.stringify(raw)}`);
      const { ingress, kind, source, payload, correlationId, idempotencyKey, key, createdAt } = data;
      assert.deepEqual({ ...fast }, { ingress, kind, source, payload, correlationId, idempotencyKey, key });
      assert.ok(createdAt === undefined && declares(ingress, kind));
    }),
    { numRuns: 5000 },
  );
  assert.ok(seen > 500, 'hardly any event took the fast path: the property proves nothing');
});

test('an admission refuses and accepts what the schema and the declared names do, whichever way an event goes', () => {
  const admission = new Admission(
    Object.entries(declared).map(([ingress, kinds]) => ({ name: ingress, kinds: [...kinds] })),
    1_000_000,
    new VirtualClock(),
  );
  fc.assert(
    fc.property(sent, (value) => {
      const raw = fromText(value);
      const parsed = ingressEventInput.safeParse(raw);
      const right = parsed.success && declares(parsed.data.ingress, parsed.data.kind);
      let admitted;
      try {
        admitted = admission.admit(raw);
      } catch (thrown) {
        assert.ok(thrown instanceof HostError && thrown.code === 'invalid_event');
        assert.ok(!right, `it refuses ${JSON.stringify(raw)}`);
        return;
      }
      assert.ok(right, `it accepts ${JSON.stringify(raw)}`);
      const { createdAt, correlationId, eventId, attempt, ...rest } = wholeEvent(admitted);
      const { createdAt: givenAt, correlationId: givenId, idempotencyKey, key, payload = null, ...given } = parsed.data;
      // The keys are between the sender and the host: the plugin does not see them.
      assert.deepEqual(rest, { ...given, payload });
      assert.equal(admitted.idempotencyKey, idempotencyKey);
      assert.equal(admitted.key, key);
      assert.equal(correlationId, givenId ?? eventId);
      assert.equal(attempt, 1);
      if (givenAt !== undefined) assert.equal(createdAt, new Date(givenAt).toISOString());
      assert.equal(admitted.bytes, Buffer.byteLength(JSON.stringify(wholeEvent(admitted))));
    }),
    { numRuns: 3000 },
  );
});

test('ids made in one millisecond, in many and with a clock that goes back are all different, of the right form, and in order', () => {
  const form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  const at = Date.now() + 60_000;
  const made = Array.from({ length: 30_000 }, (_, index) =>
    uuidv7(index % 3 === 0 ? at - 5000 : at + Math.floor(index / 10_000)),
  );
  for (const one of made) assert.match(one, form);
  assert.equal(new Set(made).size, made.length);
  assert.deepEqual([...made].sort(), made);
});
