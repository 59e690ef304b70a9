// What others have written down about webhooks, held against this daemon: the reference implementation of Standard
// Webhooks as an oracle, Stripe's documented header, and the features of CloudEvents' HTTP binding.
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { sign, verify } from '../../protocol/edge/signatures.ts';
import { readCloudEvent } from '../../workers/edge/cloud-event.ts';

const request = (body: string, headers: Record<string, string>) => ({
  body: Buffer.from(body),
  header: (name: string) => headers[name],
});

test('what the reference implementation of Standard Webhooks signs is accepted, and what we sign is accepted by it', () => {
  for (let round = 0; round < 50; round += 1) {
    const secret = `whsec_${randomBytes(24 + (round % 40)).toString('base64')}`;
    const body = JSON.stringify({ round, text: randomBytes(round).toString('base64'), umlaut: 'ä' });
    const now = new Date();
    const id = `msg_${randomBytes(12).toString('hex')}`;
    const theirs = new Webhook(secret);
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': theirs.sign(id, now, body),
    };
    assert.equal(verify({ scheme: 'standard-webhooks' }, [secret], request(body, headers), now.getTime()).ok, true);
    const ours = sign({ scheme: 'standard-webhooks' }, secret, { body: Buffer.from(body), nowMs: now.getTime(), id });
    assert.deepEqual(theirs.verify(body, ours), JSON.parse(body));
  }
});

test('a list of signatures of Standard Webhooks passes with any that fits, and unknown versions are passed over', () => {
  const scheme = { scheme: 'standard-webhooks' } as const;
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const body = '{"test": 2432232314}';
  const nowMs = 1_614_265_330_000;
  const right = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
  const wrong = `v1,${Buffer.alloc(32, 7).toString('base64')}`;
  const given = (signature: string): boolean =>
    verify(
      scheme,
      [secret],
      request(body, {
        'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
        'webhook-timestamp': '1614265330',
        'webhook-signature': signature,
      }),
      nowMs,
    ).ok;
  for (const list of [right, `${wrong} ${right}`, `v1a,AAAA ${right}`, `${right} v2,AAAA`])
    assert.ok(given(list), list);
  for (const list of [wrong, `v2,${right.slice(3)}`, right.slice(3), right.replace('g0', 'G0'), ''])
    assert.ok(!given(list), list);
});

test("Stripe's header, as its documentation shows it, passes with its time and any signature of version 1", () => {
  const secret = 'whsec_test_secret';
  const body = '{\n  "id": "evt_test_webhook",\n  "object": "event"\n}';
  const time = 1_492_774_577;
  // The documented rule, written down here once more: HMAC-SHA256 of the time, a dot and the body.
  const v1 = createHmac('sha256', secret)
    .update(`${String(time)}.${body}`)
    .digest('hex');
  const documented = '5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd';
  const v0 = 'v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aa816edb039989a39';
  const given = (header: string, secrets = [secret], nowMs = time * 1000): boolean =>
    verify({ scheme: 'stripe' }, secrets, request(body, { 'stripe-signature': header }), nowMs).ok;
  assert.ok(given(`t=${String(time)},v1=${v1},${v0}`));
  assert.ok(given(`t=${String(time)},v1=${documented},v1=${v1},${v0}`));
  assert.ok(given(`t=${String(time)},v1=${v1}`, ['another', secret]));
  assert.ok(given(`t=${String(time)},v1=${v1}`, [secret, 'another']));
  // Tampered with, of another version alone, of another time, without a time, stale, and of another secret.
  assert.ok(!given(`t=${String(time)},v1=${documented},${v0}`));
  assert.ok(!given(`t=${String(time)},v0=${v1}`));
  assert.ok(!given(`t=${String(time + 1)},v1=${v1}`));
  assert.ok(!given(`v1=${v1}`));
  assert.ok(!given(`t=${String(time)},v1=${v1}`, [secret], (time + 301) * 1000));
  assert.ok(!given(`t=${String(time)},v1=${v1}`, ['another']));
});

const attributes = {
  id: '1234-1234-1234',
  specversion: '1.0',
  type: 'com.example.someevent',
  source: '/mycontext/subcontext',
  time: '2018-04-05T03:56:24Z',
};
const named = (all: object): Record<string, string> =>
  Object.fromEntries(Object.entries(all).map(([name, value]) => [`ce-${name}`, String(value)]));

for (const contentType of ['application/json', 'application/json; charset=utf-8']) {
  test(`CloudEvents: binary content mode (${contentType})`, () => {
    const read = readCloudEvent({ ...named(attributes), 'content-type': contentType }, () => '{}', 100);
    assert.ok(read !== undefined && !('fault' in read));
    assert.deepEqual(read.headers, named({ ...attributes, datacontenttype: contentType }));
    assert.deepEqual([read.id, read.type, read.source], [attributes.id, attributes.type, attributes.source]);
    assert.equal(read.data, undefined);
  });
}

for (const contentType of ['application/cloudevents+json', 'application/cloudevents+json; charset=utf-8']) {
  test(`CloudEvents: structured content mode (${contentType})`, () => {
    const whole = { ...attributes, datacontenttype: 'application/json', data: { message: 'Hello World!' } };
    const read = readCloudEvent({ 'content-type': contentType }, () => JSON.stringify(whole, undefined, 4), 100);
    assert.ok(read !== undefined && !('fault' in read));
    assert.deepEqual(read.headers, named({ ...attributes, datacontenttype: 'application/json' }));
    assert.deepEqual(JSON.parse(read.data ?? ''), { message: 'Hello World!' });
  });
}

test('CloudEvents: batches, other formats, other versions and missing attributes are refused in words', () => {
  const structured = (change: object): unknown =>
    readCloudEvent(
      { 'content-type': 'application/cloudevents+json' },
      () => JSON.stringify({ ...attributes, ...change }),
      100,
    );
  for (const change of [{ specversion: '0.3' }, { id: undefined }, { source: '' }, { type: undefined }])
    assert.match(JSON.stringify(structured(change)), /fault/);
  for (const type of ['application/cloudevents-batch+json', 'application/cloudevents+avro'])
    assert.match(JSON.stringify(readCloudEvent({ 'content-type': type }, () => '[]', 100)), /fault/);
  assert.equal(
    readCloudEvent({ 'content-type': 'application/json' }, () => '{}', 100),
    undefined,
  );
});
