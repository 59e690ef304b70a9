import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProgressRegister, phases } from '../../protocol/cell/register.ts';

test('an event is taken either by the host or by the cell, never by both', () => {
  const register = new ProgressRegister();
  register.begin(7, 1);
  assert.equal(register.claim(7), true);
  assert.equal(register.finish(7, 2), false);
  assert.equal(register.begin(8, 3), false, 'a cell that lost an event begins no other');
  const other = new ProgressRegister();
  other.begin(8, 3);
  assert.equal(other.finish(8, 4), true);
  assert.equal(other.claim(8), false);
});

test('a claim hits only the event it means', () => {
  const register = new ProgressRegister();
  register.begin(1, 1);
  register.finish(1, 2);
  register.begin(2, 3);
  assert.equal(register.claim(1), false);
  assert.equal(register.read(1).phase, phases.running);
});

test('a sealed register lets no event begin, and one that runs cannot be sealed', () => {
  const register = new ProgressRegister();
  assert.equal(register.begin(1, 1), true);
  assert.equal(register.seal(0), false);
  assert.equal(register.finish(1, 2), true);
  assert.equal(register.seal(1), true);
  assert.equal(register.begin(2, 3), false);
  assert.deepEqual([register.read(2).phase, register.read(2).sequence], [phases.sealed, 1]);
});

test('sequences beyond the width of the word are told apart', () => {
  for (const base of [0, 2 ** 29 - 2, 2 ** 29, 2 ** 31 + 5, 3 * 2 ** 29 - 1, 2 ** 40]) {
    const register = new ProgressRegister();
    for (let sequence = base + 1; sequence < base + 6; sequence += 1) {
      register.begin(sequence, 1);
      assert.equal(register.read(base + 1).sequence, sequence);
      assert.equal(register.finish(sequence, 2), true);
      assert.equal(register.read(sequence + 100).sequence, sequence);
    }
  }
});
