// What whoever takes a lease learns of how the one before it ended: given back in order or not, and whether its member
// died of it.
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import type { ClusterData, MemberRecord, PlacedService } from '../../protocol/cluster/messages.ts';
import type { Board } from '../../workers/cluster/board.ts';
import type { LeaseValue, Seen } from '../../workers/cluster/lease-rules.ts';
import { Leases } from '../../workers/cluster/leases.ts';

const leaseMs = 10_000;
const plugin = 'test.one';
const service: PlacedService = { plugin, capacity: 1, maxBytes: 1, dedupeMs: 1, inFlight: 1, wanted: true };

type Lost = { readonly died: boolean } | undefined;

/** Members that see one lease, each by the session that it is given. */
class Lab {
  nowMs = 0;
  readonly leases = new Map<string, Seen<LeaseValue>>();
  readonly members = new Map<string, Seen<MemberRecord & { session: string }>>();
  /** How each lease before had ended, as whoever took it next was told. */
  readonly told: Lost[] = [];
  readonly #kv = {
    create: (_key: string, text: string) => this.#write(text),
    update: (_key: string, text: string) => this.#write(text),
  };
  #revision = 0;
  failing = false;

  member(name: string, session: string): Leases {
    const self = { member: name, instance: `instance of ${name}`, session };
    const leases = new Leases({
      data: { ...self, leaseMs, version: '1', requestMs: 1000 } as unknown as ClusterData,
      self,
      board: { leases: this.leases, members: this.members } as unknown as Board,
      nowMs: () => this.nowMs,
      wallMs: () => this.nowMs,
      fenceOff: (_service, _fence, lost) => {
        this.told.push(lost);
        return this.failing
          ? Promise.reject(new Error('away'))
          : Promise.resolve({ values: [], handled: [], records: [] });
      },
      ended: () => undefined,
      tell: () => undefined,
    });
    leases.place([service]);
    return leases;
  }

  /** It has been heard of just now. */
  beats(session: string): void {
    const value = { session, member: 'any', state: 'active' } as unknown as MemberRecord & { session: string };
    this.members.set(session, { value, revision: 1, sinceMs: this.nowMs });
  }

  async take(leases: Leases): Promise<void> {
    for (let count = 0; count < 20; count += 1) {
      leases.tick(this.#kv as never, true);
      await turn();
    }
  }

  async release(leases: Leases, lost?: { died: boolean }): Promise<void> {
    const fence = [...this.leases.values()][0]?.value.fence ?? 0;
    await leases.release(this.#kv as never, plugin, fence, lost);
  }

  #write(text: string): Promise<number> {
    this.#revision += 1;
    const value = JSON.parse(text) as LeaseValue;
    this.leases.set('test=one', { value, revision: this.#revision, sinceMs: this.nowMs });
    return Promise.resolve(this.#revision);
  }
}

test('a lease that was given back in order leaves nothing to be told', async () => {
  const lab = new Lab();
  const one = lab.member('one', 's1');
  await lab.take(one);
  await lab.release(one);
  await lab.take(lab.member('two', 's2'));
  assert.deepEqual(lab.told, [undefined, undefined]);
});

test('one that was given back with events that had begun is told as lost, and nobody died', async () => {
  const lab = new Lab();
  const one = lab.member('one', 's1');
  await lab.take(one);
  await lab.release(one, { died: false });
  await lab.take(lab.member('two', 's2'));
  assert.deepEqual(lab.told, [undefined, { died: false }]);
});

test('a member that is silent has died, and one that is heard of has not', async () => {
  for (const isHeard of [true, false]) {
    const lab = new Lab();
    await lab.take(lab.member('one', 's1'));
    lab.nowMs += leaseMs;
    if (isHeard) lab.beats('s1');
    await lab.take(lab.member('two', 's2'));
    assert.deepEqual(lab.told, [undefined, { died: !isHeard }]);
  }
});

test('a daemon that was started again has died, and one whose thread alone was has not', async () => {
  for (const session of ['s1', 's2']) {
    const lab = new Lab();
    await lab.take(lab.member('one', 's1'));
    await lab.take(lab.member('one', session));
    assert.deepEqual(lab.told, [undefined, { died: session !== 's1' }]);
  }
});

test('who takes it without success passes on how it ended before', async () => {
  const lab = new Lab();
  await lab.take(lab.member('one', 's1'));
  lab.nowMs += leaseMs;
  lab.failing = true;
  const two = lab.member('two', 's2');
  await lab.take(two);
  assert.ok(lab.told.length > 2);
  lab.failing = false;
  await lab.take(two);
  assert.deepEqual(new Set(lab.told.slice(1).map((lost) => lost?.died)), new Set([true]));
});
