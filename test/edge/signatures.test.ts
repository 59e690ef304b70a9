// The schemes by which senders of webhooks sign, held to the examples that their makers publish.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SignatureScheme, sign, verify } from '../../protocol/edge/signatures.ts';

const request = (body: string, headers: Record<string, string>) => ({
  body: Buffer.from(body),
  header: (name: string) => headers[name],
});

test("GitHub's documented example is accepted", () => {
  const verdict = verify(
    { scheme: 'github' },
    ["It's a Secret to Everybody"],
    request('Hello, World!', {
      'x-hub-signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    }),
    0,
  );
  assert.deepEqual(verdict, { ok: true });
});

test("Standard Webhooks' published vector is accepted", () => {
  const verdict = verify(
    { scheme: 'standard-webhooks' },
    ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    request('{"test": 2432232314}', {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    }),
    1_614_265_330_000,
  );
  assert.ok(verdict.ok);
  assert.equal(verdict.id, 'msg_p5jXN8AQM9LWM0D4loKWxJek');
});

test("Slack's documented example is accepted", () => {
  const body =
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c';
  const verdict = verify(
    { scheme: 'slack' },
    ['8f742231b10e8888abcd99yyyzzz85a5'],
    request(body, {
      'x-slack-request-timestamp': '1531420618',
      'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    }),
    1_531_420_618_000,
  );
  assert.ok(verdict.ok);
});

const nowMs = 1_700_000_000_000;
const schemes: readonly SignatureScheme[] = [
  { scheme: 'github' },
  { scheme: 'stripe' },
  { scheme: 'slack' },
  { scheme: 'standard-webhooks' },
  { scheme: 'bearer' },
  {
    scheme: 'hmac',
    header: 'x-signature',
    algorithm: 'sha512',
    encoding: 'base64',
    prefix: 'v=',
    timestamp: { header: 'x-time', unit: 'ms' },
    content: '{timestamp}|{body}',
  },
];
const secretOf = ({ scheme }: SignatureScheme, nth: number): string =>
  scheme === 'standard-webhooks'
    ? `whsec_${Buffer.from(`a secret of some length ${String(nth)}`).toString('base64')}`
    : `a-secret-${String(nth)}`;

for (const scheme of schemes) {
  const body = '{"amount":100}';
  const secret = secretOf(scheme, 1);
  const other = secretOf(scheme, 2);
  const signed = (): Record<string, string> => sign(scheme, secret, { body: Buffer.from(body), nowMs, id: 'm-1' });

  test(`${scheme.scheme}: what is signed is accepted, by either of two secrets`, () => {
    assert.ok(verify(scheme, [secret], request(body, signed()), nowMs).ok);
    assert.ok(verify(scheme, [other, secret], request(body, signed()), nowMs).ok);
    assert.ok(verify(scheme, [secret, other], request(body, signed()), nowMs).ok);
  });

  test(`${scheme.scheme}: another secret, and nothing at all, are refused with a reason for the operator`, () => {
    const wrong = verify(scheme, [other], request(body, signed()), nowMs);
    assert.ok(!wrong.ok && wrong.reason !== '');
    const bare = verify(scheme, [secret], request(body, {}), nowMs);
    assert.ok(!bare.ok && bare.reason !== '');
  });

  test(`${scheme.scheme}: each bit of each header counts`, () => {
    for (const [name, value] of Object.entries(signed())) {
      const at = value.length - 4;
      for (const bit of [1, 2, 4]) {
        const changed = `${value.slice(0, at)}${String.fromCharCode(value.charCodeAt(at) ^ bit)}${value.slice(at + 1)}`;
        assert.ok(!verify(scheme, [secret], request(body, { ...signed(), [name]: changed }), nowMs).ok, changed);
      }
    }
  });

  if (scheme.scheme !== 'bearer') {
    test(`${scheme.scheme}: each bit of the body counts`, () => {
      for (let at = 0; at < body.length; at += 1) {
        const changed = `${body.slice(0, at)}${String.fromCharCode(body.charCodeAt(at) ^ 1)}${body.slice(at + 1)}`;
        assert.ok(!verify(scheme, [secret], request(changed, signed()), nowMs).ok);
      }
    });
  }

  if (scheme.scheme !== 'bearer' && scheme.scheme !== 'github') {
    test(`${scheme.scheme}: a signature outside the time window is refused, on either side`, () => {
      const windowMs = 300_000;
      assert.ok(verify(scheme, [secret], request(body, signed()), nowMs + windowMs - 1000).ok);
      for (const atMs of [nowMs + windowMs + 1000, nowMs - windowMs - 1000]) {
        const late = verify(scheme, [secret], request(body, signed()), atMs);
        assert.ok(!late.ok && late.reason.includes('toleranceMs'));
      }
    });

    test(`${scheme.scheme}: a copy is known by its key, and until when it would pass`, () => {
      const one = verify(scheme, [secret], request(body, signed()), nowMs);
      const copy = verify(scheme, [secret], request(body, signed()), nowMs + 5000);
      assert.ok(one.ok && copy.ok && one.replay !== undefined);
      assert.deepEqual(one.replay, copy.replay);
      assert.equal(one.replay.untilMs, nowMs + 300_000);
    });
  }
}
