// Three members, one server and several services under load, while members are killed, stopped and continued, drained
// and told to work again, and the server is restarted, in an order that a seed decides. The quick form is part of every
// run; the long one is NAGAYA_TRIAL_SECONDS=600 NAGAYA_TRIAL_SEED=7 npm run test:only -- cluster/trial
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type HistoryLine, violations } from '../labs/cluster-history.ts';
import { type Member, type NatsLab, noServer, startMember, startNats, until } from '../labs/nats-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { writePlugin } from '../labs/written-plugin.ts';

const seconds = Number(process.env['NAGAYA_TRIAL_SECONDS'] ?? 6);
const seed = Number(process.env['NAGAYA_TRIAL_SEED'] ?? 1);
const isLong = seconds > 60;
const serviceCount = isLong ? 10 : 2;
const leaseMs = 2000;
/** Each event leaves a line in ctx.state, which is bounded. */
const mostPublished = 2000 * serviceCount;
const paceMs = (3 * seconds * 1000) / mostPublished;

/** It keeps in its state which event came as which, and who handled it when. */
const code = `export const service = {
  start() {},
  async handleIngress({ payload }, ctx) {
    const order = (ctx.state.get('order') ?? 0) + 1;
    if (payload.n % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
    ctx.state.set('order', order);
    ctx.state.set('n' + order, [payload.n, ctx.config.member + '/' + process.pid + '/' + ctx.incarnation]);
  },
};`;

/** Small, fast and the same for a seed everywhere. */
function random(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** For an answer to one publish, before the next is tried. */
const patienceMs = 500;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

class Trial {
  readonly history: HistoryLine[] = [];
  readonly members: Member[] = [];
  readonly services = Array.from({ length: serviceCount }, (_, index) => `trial.s${String(index)}`);
  readonly #t: TestContext;
  readonly #nats: NatsLab;
  readonly #folder: string;
  readonly #random = random(seed);
  #published = 0;
  over = false;

  constructor(t: TestContext, nats: NatsLab, folder: string) {
    this.#t = t;
    this.#nats = nats;
    this.#folder = folder;
  }

  async start(name: string, folder?: string): Promise<Member> {
    const overrides = Object.fromEntries(this.services.map((id) => [id, { config: { member: name } }]));
    const member = await startMember(this.#t, this.#nats, name, {
      plugins: this.services.map((id) => join(this.#folder, id)),
      config: { limits: { leaseMs }, plugins: { overrides } },
      joins: false,
      ...(folder === undefined ? {} : { folder }),
    });
    return member;
  }

  /** Publishes for as long as the trial goes on; what was accepted is in the history. */
  async load(): Promise<void> {
    const pick = random(seed + 1);
    while (!this.over && this.#published < mostPublished) {
      const n = (this.#published += 1);
      const service = this.services[n % serviceCount] ?? '';
      const event = { ingress: 'numbers', kind: 'number', payload: { n }, idempotencyKey: `n-${String(n)}` };
      const member = this.members[Math.floor(pick() * this.members.length)];
      const answer = member?.client.call('ingress.publish', { plugin: service, event }).then(
        () => true,
        () => false,
      );
      const accepted = await Promise.race([answer, pause(patienceMs)]);
      // What a member that stands still has not answered counts for nothing here, whatever became of it.
      if (accepted === true) this.history.push({ what: 'accepted', service, n });
      await pause(accepted === true ? paceMs : 20);
    }
  }

  async disturb(): Promise<string> {
    const which = Math.floor(this.#random() * this.members.length);
    const member = this.members[which];
    assert.ok(member !== undefined);
    const what = ['kill', 'stop', 'drain', 'server'][Math.floor(this.#random() * 4)];
    if (what === 'kill') {
      member.daemon.signal('SIGKILL');
      await member.daemon.ended;
      this.members[which] = await this.start(member.name, member.daemon.folder);
    } else if (what === 'stop') {
      member.daemon.signal('SIGSTOP');
      await pause(leaseMs * 1.5);
      member.daemon.signal('SIGCONT');
    } else if (what === 'drain') {
      await member.client.call('cluster.drain', {});
      await member.client.call('cluster.drain', { undo: true });
    } else {
      await this.#nats.stop();
      await this.#nats.start();
    }
    return `${what ?? ''} ${what === 'server' ? '' : member.name}`;
  }

  /** From the states of all services, once all that was accepted is in them. */
  async complete(): Promise<void> {
    for (const service of this.services) {
      const state = await this.#stateOf(service);
      for (const [key, value] of Object.entries(state)) {
        if (!/^n\d+$/.test(key)) continue;
        const [n, tenure] = value as [number, string];
        this.history.push({ what: 'committed', service, tenure, n, order: Number(key.slice(1)) });
      }
    }
  }

  async #stateOf(service: string): Promise<Record<string, unknown>> {
    const accepted = this.history.flatMap((line) =>
      line.what === 'accepted' && line.service === service ? [line.n] : [],
    );
    return await until(
      `all events of ${service}`,
      async () => {
        const holder = await this.#holderOf(service);
        const answer = await holder?.client.call('service.state', { plugin: service }).catch(() => undefined);
        return answer?.state ?? {};
      },
      (state) => {
        const there = new Set(
          Object.values(state).flatMap((value) => (Array.isArray(value) ? [value[0] as number] : [])),
        );
        return accepted.every((n) => there.has(n));
      },
    );
  }

  async #holderOf(service: string): Promise<Member | undefined> {
    for (const member of this.members) {
      const status = await member.client.call('service.status', { plugin: service }).catch(() => undefined);
      if (status?.placement?.waits === null && status.lifecycle === 'running') return member;
    }
    return undefined;
  }
}

test('whatever happens to members and server, no promise is broken', { skip: noServer }, async (t) => {
  const folder = await temporaryFolder(t);
  const nats = await startNats(t);
  const trial = new Trial(t, nats, folder);
  for (const id of trial.services) {
    const ingresses = [{ name: 'numbers', kinds: ['number'] }];
    writePlugin(join(folder, id), {
      manifest: { id, service: { ingresses, placement: 'one', queue: { capacity: 10_000 } } },
      files: { 'index.js': code },
    });
  }
  trial.members.push(...(await Promise.all(['one', 'two', 'three'].map((name) => trial.start(name)))));
  // A publisher whose member stands still waits for it.
  const loading = Promise.all(trial.members.map(() => trial.load()));
  const endMs = Date.now() + seconds * 1000;
  do t.diagnostic(await trial.disturb());
  while (Date.now() < endMs);
  trial.over = true;
  await loading;
  await trial.complete();
  const count = (what: string): number => trial.history.filter((line) => line.what === what).length;
  const tenures = new Set(
    trial.history.flatMap((line) => (line.what === 'committed' ? [`${line.service} ${line.tenure}`] : [])),
  ).size;
  t.diagnostic(
    `seed ${String(seed)}: ${String(count('accepted'))} accepted, ${String(count('committed'))} committed, in ${String(tenures)} tenures`,
  );
  assert.ok(count('accepted') > 0);
  assert.deepEqual(violations(trial.history), []);
});
