// The list of faults is what the kit promises: it is whole, and each fault has its code.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogue, faultIds, moduleOf } from '../../daemon/faults/catalogue.ts';
import { crashingAddon } from '../../daemon/faults/crashing-addon.ts';
import { groups } from '../../daemon/faults/fault.ts';

const deedsOf = async (module: string): Promise<object> =>
  ((await import(new URL(`../../daemon/faults/plugins/${module}`, import.meta.url).href)) as { deeds: object }).deeds;

test('there are at least the faults of the list the kit was built for, each once', () => {
  assert.ok(catalogue.filter(({ listed }) => listed).length >= 51);
  assert.equal(new Set(faultIds).size, faultIds.length);
  for (const { id, group, answers } of catalogue) {
    assert.match(id, /^[a-z0-9-]+$/);
    assert.ok(group in groups, id);
    assert.ok(answers.length > 0, id);
  }
});

test('each fault that a handler commits has its code in the module of its group', async () => {
  for (const fault of catalogue) {
    if (fault.atImport === true || fault.group === 'daemon') continue;
    const deed: unknown = Reflect.get(await deedsOf(moduleOf(fault)), fault.id);
    assert.equal(typeof deed, 'function', fault.id);
  }
});

test('what threads cannot hold by themselves is said with its reason', () => {
  for (const { id, threads } of catalogue) {
    if (threads.hold !== 'contains') assert.ok(threads.why.length > 20, id);
  }
});

test('the crashing addon is made for the machines the kit knows, and for no others', () => {
  assert.deepEqual(crashingAddon('linux', 'x64')?.subarray(0, 4), Buffer.from([0x7f, 0x45, 0x4c, 0x46]));
  assert.equal(crashingAddon('linux', 'arm64')?.readUInt16LE(18), 183);
  assert.equal(crashingAddon('darwin', 'arm64'), undefined);
  assert.equal(crashingAddon('linux', 's390x'), undefined);
});
