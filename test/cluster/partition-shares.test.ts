// Which partitions a member gives to others, so that all who take some have as many as the others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partitionsToGive } from '../../daemon/cluster/partition-shares.ts';
import { numberOf } from '../../daemon/cluster/shared-service.ts';

const holders = (text: string): (string | null)[] => [...text].map((letter) => (letter === '-' ? null : letter));

test('a member that has all of them gives half to one that has none', () => {
  assert.deepEqual(partitionsToGive('a', ['a', 'b'], holders('aaaaaaaa')), [4, 5, 6, 7]);
  assert.deepEqual(partitionsToGive('b', ['a', 'b'], holders('aaaaaaaa')), []);
});

test('two members give one each to a third', () => {
  assert.deepEqual(partitionsToGive('a', ['a', 'b', 'c'], holders('aaaabbbb')), [3]);
  assert.deepEqual(partitionsToGive('b', ['a', 'b', 'c'], holders('aaaabbbb')), [7]);
});

test('one of those with the most gives where another has less than its share', () => {
  assert.deepEqual(partitionsToGive('a', ['a', 'b', 'c'], holders('aaabbbcc')), []);
  assert.deepEqual(partitionsToGive('a', ['a', 'b', 'c', 'd', 'e'], holders('aabbccdd')), [1]);
  assert.deepEqual(partitionsToGive('b', ['a', 'b', 'c', 'd', 'e'], holders('aabbccdd')), []);
});

test('nobody gives anything while a partition is free, or where the shares are even', () => {
  assert.deepEqual(partitionsToGive('a', ['a', 'b'], holders('aaaaaaa-')), []);
  assert.deepEqual(partitionsToGive('a', ['a', 'b', 'c'], holders('aaabbbcc')), []);
});

test('a member that takes none gives nothing by itself', () => {
  assert.deepEqual(partitionsToGive('a', ['b'], holders('aaaaaaaa')), []);
});

test('giving and taking ends with even shares, from whatever spread', () => {
  for (const start of ['aaaaaaaa', 'aaaaaaab', 'aabbbbbb', 'aaaabbbb', 'ccccccca']) {
    const names = ['a', 'b', 'c'];
    let spread = holders(start);
    for (let round = 0; round < 20; round += 1) {
      const given = names.flatMap((name) => partitionsToGive(name, names, spread));
      spread = spread.map((holder, at) => (given.includes(at) ? null : holder));
      for (const number of given) {
        const counts = names.map((name) => spread.filter((holder) => holder === name).length);
        spread = spread.with(number, names[counts.indexOf(Math.min(...counts))] ?? null);
      }
    }
    const counts = names.map((name) => spread.filter((holder) => holder === name).length).sort();
    assert.deepEqual(counts, [2, 3, 3], start);
  }
});

test('a key stays in its partition, whatever the version', () => {
  assert.deepEqual(['', 'a', 'order-1', 'ä'].map(numberOf), [2, 2, 1, 7]);
});
