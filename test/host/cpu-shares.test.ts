// A plugin is held to its share of the processor: lowered first, then paused between events, and let go again, all of
// it told. The rules on a virtual clock; one real plugin that burns.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CpuShares, type SharingPlugin } from '../../daemon/host/cpu-shares.ts';
import { connect } from '../../protocol/client/client.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import type { CpuShare, ServiceStatus } from '../../protocol/status.ts';
import { repository, serve, temporaryFolder } from '../labs/cli-process.ts';
import { ask } from '../labs/http-client.ts';
import { VirtualClock } from '../labs/virtual-clock.ts';
import { until } from '../labs/until.ts';

const stepMs = 10;

/** Uses as much of a processor as it is told to, except while it is paused. */
class Burner implements SharingPlugin {
  readonly id: string;
  cpuShare: number | undefined;
  burns = 1;
  view: CpuShare | null = null;
  lowered = 0;
  readonly told: string[] = [];
  #usedMs = 0;

  constructor(id: string, cpuShare: number | undefined) {
    this.id = id;
    this.cpuShare = cpuShare;
  }

  usedMs(): number {
    return this.#usedMs;
  }

  lower(): void {
    this.lowered += 1;
  }

  held(share: CpuShare | null): void {
    this.view = share;
  }

  tell(event: string): void {
    this.told.push(event);
  }

  pass(ms: number): void {
    if (this.view?.state !== 'paused') this.#usedMs += ms * this.burns;
  }
}

function run(clock: VirtualClock, burners: readonly Burner[], forMs: number): void {
  for (let passed = 0; passed < forMs; passed += stepMs) {
    for (const burner of burners) burner.pass(stepMs);
    clock.advance(stepMs);
  }
}

function held(...burners: Burner[]): VirtualClock {
  const clock = new VirtualClock();
  const shares = new CpuShares(clock, () => burners);
  assert.ok(shares);
  run(clock, burners, 500);
  return clock;
}

test('a plugin that burns without end is lowered, then paused, and comes out at its share', () => {
  const burner = new Burner('a', 0.25);
  const clock = held(burner);
  run(clock, [burner], 400);
  assert.equal(burner.view?.state, 'within', 'a burst is allowed');
  run(clock, [burner], 600);
  assert.deepEqual([burner.view?.state, burner.told], ['lowered', ['cpu_lowered']]);
  run(clock, [burner], 1500);
  assert.deepEqual(burner.told, ['cpu_lowered', 'cpu_paused']);
  const before = burner.usedMs();
  run(clock, [burner], 120_000);
  const share = (burner.usedMs() - before) / 120_000;
  assert.ok(Math.abs(share - 0.25) < 0.025, `it got ${String(share)} of a processor`);
  assert.ok((burner.view?.pausedMs ?? 0) > 60_000);
  assert.ok(Math.abs((burner.view?.usedShare ?? 0) - 0.25) < 0.2);
  assert.ok(burner.lowered > 10, 'cells that have come since are lowered too');
});

test('a plugin that keeps to its share is never touched, and one without a share is not even measured', () => {
  const modest = new Burner('modest', 0.5);
  modest.burns = 0.45;
  const free = new Burner('free', undefined);
  free.usedMs = () => assert.fail('nobody needs to know');
  const clock = new VirtualClock();
  assert.ok(new CpuShares(clock, () => [modest, free]));
  run(clock, [modest], 60_000);
  assert.deepEqual([modest.told, modest.lowered, modest.view?.state, free.view], [[], 0, 'within', null]);
});

test('a plugin that rests is within its share again, and one whose share is taken away or raised is let go', () => {
  const burner = new Burner('a', 0.1);
  const clock = held(burner);
  run(clock, [burner], 10_000);
  assert.equal(burner.told.at(-1), 'cpu_paused');
  burner.burns = 0;
  run(clock, [burner], 60_000);
  assert.deepEqual([burner.view?.state, burner.told.at(-1)], ['within', 'cpu_within']);
  burner.burns = 1;
  run(clock, [burner], 10_000);
  assert.notEqual(burner.view?.state, 'within');
  burner.cpuShare = 2;
  run(clock, [burner], 500);
  assert.deepEqual([burner.view?.state, burner.view?.share], ['within', 2]);
  burner.cpuShare = undefined;
  run(clock, [burner], 500);
  assert.equal(burner.view, null);
});

test('however long one event burned, the pause after it ends', () => {
  const burner = new Burner('a', 0.01);
  const clock = held(burner);
  run(clock, [burner], 2000);
  burner.usedMs = () => 3_600_000;
  run(clock, [burner], 500);
  assert.equal(burner.view?.state, 'paused');
  run(clock, [burner], 40_000);
  assert.notEqual(burner.view?.state, 'paused');
});

const skip = existsSync('/proc/thread-self/stat') ? false : 'needs /proc';

test('a real burner is paused, says so everywhere, and goes on once its share has caught up', { skip }, async (t) => {
  const config = join(temporaryFolder(t), 'nagaya.json');
  // So little that a machine with much else to do gives it more.
  const overrides = { 'test.burner': { limits: { cpuShare: 0.01 }, queue: { durability: 'memory' } } };
  writeFileSync(config, JSON.stringify({ plugins: { overrides } }));
  const daemon = await serve(t, ['--config', config, '--plugins', join(repository, 'test/fixtures/burners')]);
  const statusOf = async (): Promise<ServiceStatus> =>
    (await daemon.json(['status', 'test.burner'])) as OperationResult<'service.status'>;
  const events = Array.from({ length: 240 }, () => '{"forMs":15}').join('\n');
  const published = ['publish', 'test.burner', '-', '--ingress', 'work', '--kind', 'burn'];
  assert.equal((await daemon.nagaya(published, { input: events })).code, 0);
  await until('it is paused', async () => (await statusOf()).cpuShare?.state === 'paused', 60_000);
  const { text } = await ask(daemon.socket, 'GET', '/metrics');
  assert.match(text, /^nagaya_plugin_cpu_share_ratio\{plugin="test\.burner"\} 0\.01$/m);
  assert.match(text, /^nagaya_plugin_cpu_lowered\{plugin="test\.burner"\} 1$/m);
  assert.match(text, /^nagaya_plugin_cpu_paused_seconds_total\{plugin="test\.burner"\} /m);
  assert.match((await daemon.nagaya(['timeline', 'test.burner'])).stdout, /cpu_lowered[^]*cpu_paused/);
  assert.match((await daemon.nagaya(['status', 'test.burner'])).stdout, /1 % allowed \(limits\.cpuShare\)/);
  const { counters } = await statusOf();
  await until('it goes on', async () => (await statusOf()).counters.handled > counters.handled + 1, 120_000);
  const { cpuShare } = await statusOf();
  assert.ok((cpuShare?.pausedMs ?? 0) > 0);
});

test('calls of tools wait while their plugin is paused, and go on behind the pause', { skip }, async (t) => {
  const config = join(temporaryFolder(t), 'nagaya.json');
  const overrides = { 'test.burner': { limits: { cpuShare: 0.02 }, queue: { durability: 'memory' } } };
  writeFileSync(config, JSON.stringify({ plugins: { overrides } }));
  const daemon = await serve(t, ['--config', config, '--plugins', join(repository, 'test/fixtures/burners')]);
  const client = await connect({ socket: daemon.socket, callMs: 60_000 });
  t.after(() => client.close());
  const pause = async (): Promise<CpuShare | null | undefined> =>
    (await client.call('service.status', { plugin: 'test.burner' })).cpuShare;
  const call = async (forMs: number, timeoutMs: number): Promise<unknown> =>
    await client.call('tool.call', { plugin: 'test.burner', tool: 'pooled', input: { forMs }, timeoutMs });
  // Each of them costs the share of several seconds.
  await until('it is paused', async () => (await call(100, 60_000), (await pause())?.state === 'paused'), 60_000);
  const before = (await pause())?.pausedMs ?? 0;
  await assert.rejects(call(0, 100), { code: 'tool_timeout' });
  await call(0, 60_000);
  assert.ok(((await pause())?.pausedMs ?? 0) > before, 'the call waited for the end of the pause');
});
