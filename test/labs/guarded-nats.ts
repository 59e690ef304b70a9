// A nats-server that lets nobody in who cannot say who he is, and what everybody may see of a member that it refuses.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Finding } from '../../daemon/cli/doctor/finding.ts';
import type { ClusterStatus } from '../../protocol/operations/cluster.ts';
import { nagaya } from './cli-process.ts';
import { type Member, type NatsLab, startNats } from './nats-lab.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { untilAnswer } from './until.ts';

export interface Guarded {
  readonly nats: NatsLab;
  readonly folder: string;
  /** The server is restarted with it. */
  configure(config: string): Promise<void>;
}

export async function startGuarded(t: TestContext, config: string): Promise<Guarded> {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'nats.conf');
  writeFileSync(file, config);
  const nats = await startNats(t, ['--config', file]);
  return {
    nats,
    folder,
    async configure(other) {
      writeFileSync(file, other);
      await nats.stop();
      await nats.start();
    },
  };
}

export const status = async ({ client }: Member): Promise<ClusterStatus> => await client.call('cluster.status', {});

export const joined = (member: Member): Promise<ClusterStatus> =>
  untilAnswer(
    'a member',
    () => status(member),
    ({ connected }) => connected,
  );

export const refused = (member: Member, reason: RegExp): Promise<ClusterStatus> =>
  untilAnswer(
    'a reason',
    () => status(member),
    ({ connected, fault }) => !connected && reason.test(fault?.message ?? ''),
  );

/** Everything that anybody can see of it, and that it goes on by itself. */
export async function tellsNothingOf(t: TestContext, member: Member, secrets: readonly string[]): Promise<void> {
  const { client, daemon } = member;
  assert.equal((await client.call('daemon.ping', {})).pong, true);
  const refusal = await client
    .call('ingress.publish', { plugin: 'example.none', event: { ingress: 'x', kind: 'x', payload: {} } })
    .catch((thrown: unknown) => JSON.stringify(thrown) + String(thrown));
  // It connects again and again: between two attempts it may say something else for a moment.
  const { stdout } = await untilAnswer(
    'the doctor says why the daemon is alone',
    async () => {
      const { stdout: answer } = await nagaya(t, ['doctor', '--json', '--socket', daemon.socket]);
      const { findings } = JSON.parse(answer) as { findings: Finding[] };
      const found = findings.find(({ check }) => check === 'cluster');
      return { stdout: answer, found, status: await status(member) };
    },
    ({ found, status: { connected, fault } }) =>
      !connected && found?.state === 'warning' && found.message === fault?.message,
  );
  const told = [
    stdout,
    daemon.log(),
    refusal,
    ...(await Promise.all([status(member), client.call('daemon.status', {}), client.call('runtime.list', {})])),
  ].map((each) => JSON.stringify(each));
  for (const secret of secrets) for (const text of told) assert.ok(!text.includes(secret), text);
}
