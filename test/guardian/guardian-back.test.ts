// How soon the daemon is back, and what 20 services that count make of it. The quick form dies once of each kind; with
// GUARDIAN_DEATHS=50 it is the long form, which also says the time of the slowest of a hundred.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Client } from '../../protocol/client/client.ts';
import {
  type DeathCode,
  deathCodes,
  deathLab,
  fatalCodes,
  handledIn,
  writeCounter,
  writeKiller,
} from '../labs/death-lab.ts';
import { until } from '../labs/until.ts';

const rounds = Number(process.env['GUARDIAN_DEATHS'] ?? 1);
const counters = Array.from({ length: 20 }, (_, index) => `test.counter-${String(index)}`);
const killer = 'test.killer';
/** What is promised is 1500 ms on an idle machine; tests share theirs. */
const backMs = rounds > 1 ? 1500 : 15_000;

type Cause = (client: Client, pid: number) => void;

const byCode =
  (name: DeathCode): Cause =>
  (client) => {
    client
      .call('ingress.publish', {
        plugin: killer,
        event: { ingress: 'work', kind: 'do', payload: { code: deathCodes[name] } },
      })
      .catch(() => undefined);
  };
const bySignal =
  (signal: NodeJS.Signals): Cause =>
  (_, pid) =>
    void process.kill(pid, signal);

const causes: Readonly<Record<string, Cause>> = {
  ...Object.fromEntries(fatalCodes.map((name) => [name, byCode(name)])),
  segfault: bySignal('SIGSEGV'),
  killed: bySignal('SIGKILL'),
};

for (const [name, cause] of Object.entries(causes)) {
  test(`${name}: the daemon is back in time, and what 20 services had handled and lost adds up`, async (t) => {
    const lab = await deathLab(t, (folder) => {
      // It is to die again and again: nothing is escalated.
      writeKiller(join(folder, 'killer'), killer, { escalate: 'never' });
      for (const id of counters) writeCounter(join(folder, id), id, 2);
    });
    const times: number[] = [];
    const accepted = new Map(counters.map((id) => [id, 0]));
    const lost = new Map(counters.map((id) => [id, { events: 0, begun: 0 }]));
    let next = 0;
    for (let round = 0; round < rounds; round += 1) {
      const client = await lab.client();
      await until('all run', async () => (await lab.status()).counts.servicesRunning === counters.length + 1);
      for (const plugin of counters) {
        const events = Array.from({ length: 50 }, () => ({ ingress: 'work', kind: 'count', payload: { n: next++ } }));
        await client.call('ingress.publish', { plugin, events });
        accepted.set(plugin, (accepted.get(plugin) ?? 0) + events.length);
      }
      const { death, backMs: took } = await lab.die(cause);
      times.push(took);
      for (const { plugin, events, begun } of death.lost.byPlugin) {
        const sum = lost.get(plugin);
        if (sum !== undefined) lost.set(plugin, { events: sum.events + events, begun: sum.begun + begun });
      }
    }
    for (const plugin of counters) {
      const handled = handledIn(join(lab.folder, plugin));
      const { events = 0, begun = 0 } = lost.get(plugin) ?? {};
      const settled = (accepted.get(plugin) ?? 0) - events;
      assert.ok(
        settled <= handled.length && handled.length <= settled + begun,
        `${plugin}: ${JSON.stringify({ settled, begun, handled: handled.length })}`,
      );
      assert.equal(new Set(handled.map(({ n }) => n)).size, handled.length, `${plugin} handled an event twice`);
    }
    times.sort((one, other) => one - other);
    const p99 = times[Math.ceil(times.length * 0.99) - 1] ?? Infinity;
    t.diagnostic(
      `${name}: back after p50 ${String(Math.round(times[Math.floor(times.length / 2)] ?? 0))} ms, p99 ${String(Math.round(p99))} ms over ${String(rounds)}`,
    );
    assert.ok(p99 <= backMs, `${String(Math.round(p99))} ms`);
  });
}
