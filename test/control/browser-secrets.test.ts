// The rules behind the port for browsers, whatever is sent: which hosts and origins are its own, and how long what was
// handed out is good for.
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import fc from 'fast-check';
import { AllowedHosts } from '../../daemon/control/browser/allowed-hosts.ts';
import { KeptSecret, SecretTable } from '../../daemon/control/browser/secret-table.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';

/** As much of a request as is looked at. */
const requestFor = (hosts: readonly string[]): IncomingMessage =>
  ({
    headersDistinct: hosts.length === 0 ? {} : { host: hosts },
    socket: { localAddress: '127.0.0.1' },
  }) as unknown as IncomingMessage;

test("of all hosts only the port's own names are taken, and of all origins only that of the host", () => {
  const own = ['localhost:4000', '127.0.0.1:4000', '[::1]:4000', 'box.example', 'box.example:4000'];
  const places = new AllowedHosts({ host: '127.0.0.1', names: ['box.example'] }, { address: '127.0.0.1', port: 4000 });
  const near = fc
    .tuple(fc.constantFrom(...own), fc.string({ maxLength: 3 }), fc.string({ maxLength: 3 }))
    .map(([name, before, behind]) => `${before}${name}${behind}`);
  fc.assert(
    fc.property(
      fc.oneof(fc.constantFrom(...own), fc.domain(), fc.string(), near),
      fc.oneof(fc.webUrl(), fc.string(), fc.constantFrom('null', ...own.map((name) => `http://${name}`))),
      (host, origin) => {
        const found = places.hostOf(requestFor([host]));
        assert.equal(found, own.includes(host.toLowerCase()) ? host.toLowerCase() : undefined);
        assert.equal(places.hostOf(requestFor([host, host])), undefined);
        if (found !== undefined)
          assert.equal(
            places.isOwnOrigin(origin, found),
            origin === `http://${found}` || (found.startsWith('box.example') && origin === `https://${found}`),
          );
      },
    ),
  );
  assert.equal(places.hostOf(requestFor([])), undefined);
});

test('secrets are good until they are taken, expire or make room, and each end is told once', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const) }),
    fc.record({ do: fc.constantFrom('take' as const, 'find' as const), which: fc.nat(20) }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.nat(60) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, capacity) => {
      const clock = new VirtualClock();
      const gone: number[] = [];
      const lifeMs = 100;
      const table = new SecretTable<number>({ capacity, lifeMs, clock, gone: (value) => void gone.push(value) });
      const given: { secret: string; value: number; endsMs: number }[] = [];
      let live: typeof given = [];
      for (const each of steps) {
        if (each.do === 'add') {
          if (live.length >= capacity) live.shift();
          const value = given.length;
          const entry = { secret: table.add(value), value, endsMs: clock.monotonicMs() + lifeMs };
          given.push(entry);
          live.push(entry);
        } else if (each.do === 'pass') {
          clock.advance(each.ms);
          live = live.filter(({ endsMs }) => endsMs > clock.monotonicMs());
        } else {
          const entry = given[each.which];
          const expected = live.find((one) => one === entry)?.value;
          assert.equal(
            each.do === 'take' ? table.take(entry?.secret ?? 'x') : table.find(entry?.secret ?? 'x'),
            expected,
          );
          if (each.do === 'take') live = live.filter((one) => one !== entry);
        }
        assert.equal(table.size, live.length);
        assert.ok(table.size <= capacity);
      }
      table.clear();
      assert.deepEqual(
        gone.sort((one, other) => one - other),
        given.map(({ value }) => value),
      );
    }),
  );
});

test('a kept secret is itself and nothing else', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (one, other) => assert.equal(new KeptSecret(one).is(other), one === other)),
  );
});
