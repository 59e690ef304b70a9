// When a lease may be taken, by numbers alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type LeaseValue,
  heldForMs,
  isFree,
  isUnderstood,
  politenessMs,
  renewAfterMs,
  staleAfterMs,
} from '../../workers/cluster/lease-rules.ts';

const leaseMs = 10_000;
const self = { member: 'one', instance: 'i-1', session: 's-1' };
const seen = (value: Partial<LeaseValue>, sinceMs = 0) => ({
  value: { member: 'two', instance: 'i-2', session: 's-2', fence: 1, ...value },
  revision: 1,
  sinceMs,
});

test('a lease that nobody has, or that was given back, is free', () => {
  assert.equal(isFree(undefined, self, 0, leaseMs), true);
  assert.equal(isFree(seen({ member: null }), self, 0, leaseMs), true);
});

test('one under which somebody wrote in a later way is not understood, and one of the first version is', () => {
  assert.equal(isUnderstood(undefined, 1), true);
  assert.equal(isUnderstood(seen({}), 1), true);
  assert.equal(isUnderstood(seen({ protocol: 2, member: null }), 1), false);
  assert.equal(isUnderstood(seen({ protocol: 1 }), 2), true);
});

test('one that is renewed is not free, and one that stayed the same for long enough is', () => {
  const lease = seen({}, 1000);
  assert.equal(isFree(lease, self, 1000 + staleAfterMs(leaseMs) - 1, leaseMs), false);
  assert.equal(isFree(lease, self, 1000 + staleAfterMs(leaseMs), leaseMs), true);
});

test('an earlier life of this daemon is not waited for, but a copy of it under another name is', () => {
  assert.equal(isFree(seen({ member: 'one', instance: 'i-1' }), self, 0, leaseMs), true);
  assert.equal(isFree(seen({ member: 'two', instance: 'i-1' }), self, 0, leaseMs), false);
});

test('a holder ends by itself before another may take over, and can fail to renew twice', () => {
  // It was seen no earlier than it was sent.
  assert.ok(heldForMs(leaseMs) < staleAfterMs(leaseMs));
  assert.ok(2 * renewAfterMs(leaseMs) < heldForMs(leaseMs));
  assert.ok(staleAfterMs(leaseMs) < leaseMs);
});

test('who has more than another waits before it takes the next', () => {
  assert.equal(politenessMs(0, 0, leaseMs), 0);
  assert.equal(politenessMs(1, Infinity, leaseMs), 0);
  assert.ok(politenessMs(2, 0, leaseMs) > politenessMs(1, 0, leaseMs));
  assert.ok(politenessMs(100, 0, leaseMs) < staleAfterMs(leaseMs));
});
