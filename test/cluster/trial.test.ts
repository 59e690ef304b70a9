// Three members, one server and several services under load, while members are killed, stopped and continued, drained
// and told to work again, and the server is restarted, in an order that a seed decides. The quick form is part of every
// run; the long one is `npm run trial -- cluster SECONDS`, with NAGAYA_TRIAL_SEED for another order.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { numberOf } from '../../daemon/cluster/shared-service.ts';
import { partitionCount } from '../../protocol/cluster/messages.ts';
import { type Committed, type Handled, type HistoryLine, type Sent, violations } from '../labs/cluster-history.ts';
import { type Member, type NatsLab, noServer, startMember, startNats } from '../labs/nats-lab.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { writePlugin } from '../labs/written-plugin.ts';
import { untilAnswer } from '../labs/until.ts';

const seconds = Number(process.env['NAGAYA_TRIAL_SECONDS'] ?? 4);
const seed = Number(process.env['NAGAYA_TRIAL_SEED'] ?? 1);
const isLong = seconds > 60;
const serviceCount = isLong ? 10 : 3;
const leaseMs = 2000;
/** Each event leaves a line in ctx.state, which is bounded. */
const mostPublished = 2000 * serviceCount;
const paceMs = (3 * seconds * 1000) / mostPublished;

/** It keeps in its state which event came as which and who handled it, and writes down what it begins and ends. */
const code = `import { appendFileSync } from 'node:fs';
export const service = {
  start() {},
  async handleIngress({ payload }, ctx) {
    const unit = payload.unit ?? ctx.config.unit;
    const tenure = ctx.config.member + '/' + process.pid + '/' + ctx.incarnation;
    const note = (what) => appendFileSync(ctx.config.notes, JSON.stringify({ what, service: unit, tenure, n: payload.n }) + '\\n');
    note('began');
    const order = (ctx.state.get('order') ?? 0) + 1;
    if (payload.n % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
    ctx.state.set('order', order);
    ctx.state.set('n' + order, [payload.n, tenure]);
    await ctx.send('told', { unit, n: payload.n });
    note('ended');
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

interface Arrived {
  readonly key: string;
  readonly body: { readonly unit: string; readonly n: number };
}

/** Takes the commands, and refuses one of twenty for a moment. */
async function startReceiver(t: TestContext): Promise<{ readonly url: string; readonly arrived: Arrived[] }> {
  const arrived: Arrived[] = [];
  const refuses = random(seed + 2);
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      response.statusCode = refuses() < 0.05 ? 503 : 200;
      if (response.statusCode === 200) {
        const body = JSON.parse(Buffer.concat(parts).toString()) as Arrived['body'];
        arrived.push({ key: String(request.headers['idempotency-key']), body });
      }
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`, arrived };
}

/** For an answer to one publish, before the next is tried. */
const patienceMs = 500;
/** Between two looks at who acts under which number. */
const lookMs = 100;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

class Trial {
  readonly history: HistoryLine[] = [];
  readonly members: Member[] = [];
  readonly services = Array.from({ length: serviceCount }, (_, index) => `trial.s${String(index)}`);
  /** How long it took until another member had what one had that was killed or stopped. */
  readonly recoveriesMs: number[] = [];
  readonly #arrived: readonly Arrived[];
  readonly #t: TestContext;
  readonly #nats: NatsLab;
  readonly #folder: string;
  readonly #random = random(seed);
  #published = 0;
  over = false;

  constructor(t: TestContext, nats: NatsLab, folder: string, arrived: readonly Arrived[]) {
    this.#arrived = arrived;
    this.#t = t;
    this.#nats = nats;
    this.#folder = folder;
  }

  async start(name: string, folder?: string): Promise<Member> {
    const overrides = Object.fromEntries(
      this.services.map((id) => [id, { config: { member: name, unit: unitOf(id, name), notes: this.#notesOf(name) } }]),
    );
    const member = await startMember(this.#t, this.#nats, name, {
      plugins: this.services.map((id) => join(this.#folder, id)),
      config: { limits: { leaseMs }, plugins: { overrides } },
      joins: false,
      ...(folder === undefined ? {} : { folder }),
    });
    return member;
  }

  readonly #notesOf = (name: string): string => join(this.#folder, `${name}.notes`);

  /** Looks who acts under which number, for as long as the trial goes on. */
  async watch(): Promise<void> {
    while (!this.over) {
      await Promise.race([Promise.all(this.members.map((member) => this.#look(member))), pause(patienceMs)]);
      await pause(lookMs);
    }
  }

  async #look({ name, client, daemon: { pid } }: Member): Promise<void> {
    for (const service of this.services.filter((id) => !isShared(id))) {
      const status = await client.call('service.status', { plugin: service }).catch(() => undefined);
      if (status?.lifecycle !== 'running' || status.placement?.waits !== null) continue;
      const { fence } = status.placement;
      const tenure = `${name}/${String(pid)}/${String(status.incarnation)}`;
      if (fence !== null) this.history.push({ what: 'granted', service: unitOf(service, name), tenure, fence });
    }
  }

  /** Publishes for as long as the trial goes on; what was accepted is in the history. */
  async load(): Promise<void> {
    const pick = random(seed + 1);
    while (!this.over && this.#published < mostPublished) {
      const n = (this.#published += 1);
      const service = this.services[n % serviceCount] ?? '';
      const key = isShared(service) ? `k${String(n % keyCount)}` : undefined;
      const units = key === undefined ? unitsOf(service) : [partitionOf(service, numberOf(key))];
      const payload = key === undefined ? { n } : { n, unit: units[0] };
      const event = { ingress: 'numbers', kind: 'number', payload, idempotencyKey: `n-${String(n)}`, key };
      const beganMs = performance.now();
      const member = this.members[Math.floor(pick() * this.members.length)];
      const answer = member?.client.call('ingress.publish', { plugin: service, event }).then(
        () => true,
        () => false,
      );
      const accepted = await Promise.race([answer, pause(patienceMs)]);
      // What a member that stands still has not answered counts for nothing here, whatever became of it.
      if (accepted === true)
        for (const unit of units)
          this.history.push({
            what: 'accepted',
            service: unit,
            n,
            ...(key === undefined ? {} : { ordered: { key, beganMs, toldMs: performance.now() } }),
          });
      await pause(accepted === true ? paceMs : 20);
    }
  }

  async disturb(): Promise<string> {
    const which = Math.floor(this.#random() * this.members.length);
    const member = this.members[which];
    assert.ok(member !== undefined);
    const what = ['kill', 'stop', 'drain', 'server'][Math.floor(this.#random() * 4)];
    if (what === 'kill') {
      const had = await this.#placesOf(member);
      member.daemon.signal('SIGKILL');
      await member.daemon.ended;
      // Half of the killed are missed before they come back.
      if (this.#random() < 0.5) await this.#taken(had, member);
      this.members[which] = await this.start(member.name, member.daemon.folder);
    } else if (what === 'stop') {
      const had = await this.#placesOf(member);
      member.daemon.signal('SIGSTOP');
      await this.#taken(had, member);
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

  async whole(): Promise<void> {
    for (const { client } of this.members)
      await untilAnswer(
        'all instances',
        () => client.call('cluster.status', {}),
        ({ members }) =>
          this.services
            .flatMap(unitsOf)
            .every((unit) =>
              unit.includes('#')
                ? isHeld(members, unit)
                : members.some(
                    ({ member, services }) =>
                      (unit.split('@')[1] ?? member) === member &&
                      services.some(({ plugin, fence }) => plugin === unit.split('@')[0] && fence !== null),
                  ),
            ),
      );
  }

  /** From the states of all instances, once all that was accepted is in them, and their commands have arrived. */
  async complete(): Promise<void> {
    for (const unit of this.services.flatMap(unitsOf)) {
      const { committed, sent } = await this.#settled(unit);
      this.history.push(...committed, ...sent);
    }
    for (const name of names) {
      const lines = (await readFile(this.#notesOf(name), 'utf8')).split('\n').filter((line) => line !== '');
      this.history.push(...lines.map((line) => JSON.parse(line) as Handled));
    }
  }

  async #settled(unit: string): Promise<Settled> {
    const [service = '', only] = unit.split(/[@#]/);
    const accepted = this.history.flatMap((line) =>
      line.what === 'accepted' && line.service === unit ? [line.n] : [],
    );
    let last: Settled = { committed: [], sent: [] };
    return await untilAnswer(
      `all events of ${unit}`,
      async () => {
        // What has arrived must have been committed before.
        const sent = this.#arrived
          .filter(({ body }) => body.unit === unit)
          .map(({ key, body }): Sent => ({ what: 'sent', service: unit, n: body.n, key }));
        const holder = unit.includes('#')
          ? await this.#holderOfPartition(service, Number(only))
          : await this.#holderOf(service, only);
        const answer = await holder?.client.call('service.state', { plugin: service }).catch(() => undefined);
        return (last = { committed: committedIn(unit, answer?.state ?? {}), sent });
      },
      (found) => missing(accepted, found) === '',
    ).catch((thrown: unknown) => {
      throw new Error(`${unit}: ${missing(accepted, last)}`, { cause: thrown });
    });
  }

  async #holderOf(service: string, only?: string): Promise<Member | undefined> {
    for (const member of this.members.filter(({ name }) => only === undefined || name === only)) {
      const status = await member.client.call('service.status', { plugin: service }).catch(() => undefined);
      if (status?.placement?.waits === null && status.lifecycle === 'running') return member;
    }
    return undefined;
  }

  async #holderOfPartition(service: string, partition: number): Promise<Member | undefined> {
    for (const member of this.members) {
      const status = await member.client.call('service.status', { plugin: service }).catch(() => undefined);
      const held = status?.placement?.partitions?.find((one) => one.partition === partition)?.member;
      if (held === member.name && status?.placement?.waits === null && status.lifecycle === 'running') return member;
    }
    return undefined;
  }

  /** Services of which the one instance is there. */
  async #placesOf(member: Member): Promise<string[]> {
    const { members } = await member.client.call('cluster.status', {}).catch(() => ({ members: [] }));
    const own = members.find(({ member: name }) => name === member.name);
    return (own?.services ?? []).flatMap(({ plugin, placement, fence }) =>
      placement === 'one' && fence !== null ? [plugin] : [],
    );
  }

  /** Until other members have these services. */
  async #taken(services: readonly string[], from: Member): Promise<void> {
    const beganMs = performance.now();
    if (services.length === 0) return await pause(leaseMs * 1.5);
    const others = this.members.filter((member) => member !== from);
    for (const service of services)
      await untilAnswer(
        `${service} on another member than ${from.name}`,
        async () => {
          const all = await Promise.all(
            others.map(({ client }) => client.call('service.status', { plugin: service }).catch(() => undefined)),
          );
          return all.some((status) => status?.placement?.waits === null && status.lifecycle === 'running');
        },
        (isThere) => isThere,
      );
    this.recoveriesMs.push(performance.now() - beganMs);
  }
}

/** Of three services, one has an instance on each member; its promises are kept for each by itself. */
const isEach = (service: string): boolean => Number(service.slice(-1)) % 3 === 1;
/** And the members share the next one; its promises are kept for each partition. */
const isShared = (service: string): boolean => Number(service.slice(-1)) % 3 === 2;
const keyCount = 20;
const partitionOf = (service: string, partition: number): string => `${service}#${String(partition)}`;
const names = ['one', 'two', 'three'];
const unitOf = (service: string, member: string): string => (isEach(service) ? `${service}@${member}` : service);
const unitsOf = (service: string): string[] =>
  isShared(service)
    ? Array.from({ length: partitionCount }, (_, partition) => partitionOf(service, partition))
    : [...new Set(names.map((name) => unitOf(service, name)))];

type Members = Awaited<ReturnType<typeof statusOf>>['members'];
const statusOf = ({ client }: Member) => client.call('cluster.status', {});
const isHeld = (members: Members, unit: string): boolean => {
  const [service, partition] = unit.split('#');
  return members.some(({ services }) =>
    services.some(
      ({ plugin, partitions = [] }) =>
        plugin === service && partitions.some((one) => one.partition === Number(partition)),
    ),
  );
};

interface Settled {
  readonly committed: Committed[];
  readonly sent: Sent[];
}

function missing(accepted: readonly number[], { committed, sent }: Settled): string {
  const there = new Set(committed.map(({ n }) => n));
  const told = new Set(sent.map(({ n }) => n));
  const events = accepted.filter((n) => !there.has(n));
  const commands = [...there].filter((n) => !told.has(n));
  return events.length + commands.length === 0
    ? ''
    : `no effect of the events ${events.join(', ')}; no command of the events ${commands.join(', ')}`;
}

function committedIn(unit: string, state: Readonly<Record<string, unknown>>): Committed[] {
  return Object.entries(state).flatMap(([key, value]) => {
    const [, partition] = unit.split('#');
    const name = partition === undefined ? key : key.replace(`${partition}/`, '');
    if (!/^n\d+$/.test(name)) return [];
    const [n, tenure] = value as [number, string];
    return [{ what: 'committed', service: unit, tenure, n, order: Number(name.slice(1)) }];
  });
}

test('whatever happens to members and server, no promise is broken', { skip: noServer }, async (t) => {
  const folder = await temporaryFolder(t);
  const nats = await startNats(t);
  const { url, arrived } = await startReceiver(t);
  const trial = new Trial(t, nats, folder, arrived);
  for (const id of trial.services) {
    const service = {
      ingresses: [{ name: 'numbers', kinds: ['number'] }],
      outputs: [{ name: 'told', type: 'http', url }],
      placement: isEach(id) ? 'each' : isShared(id) ? 'shared' : 'one',
      queue: { capacity: 10_000 },
    };
    writePlugin(join(folder, id), { manifest: { id, service }, files: { 'index.js': code } });
  }
  trial.members.push(...(await Promise.all(names.map((name) => trial.start(name)))));
  // Each instance is there once: from then on what is published is for it, whatever becomes of its member.
  await trial.whole();
  // A publisher whose member stands still waits for it.
  const loading = Promise.all([trial.watch(), ...trial.members.map(() => trial.load())]);
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
  const counts = (['accepted', 'began', 'ended', 'committed', 'sent'] as const).map(
    (what) => `${String(count(what))} ${what}`,
  );
  t.diagnostic(`seed ${String(seed)}: ${counts.join(', ')}, in ${String(tenures)} tenures`);
  const { recoveriesMs } = trial;
  const [least = 0, most = 0] = [Math.min(...recoveriesMs), Math.max(...recoveriesMs)].map(Math.round);
  if (recoveriesMs.length > 0)
    t.diagnostic(`taken over ${String(recoveriesMs.length)} times, within ${String(least)} to ${String(most)} ms`);
  assert.ok(count('accepted') > 0);
  assert.deepEqual(violations(trial.history), []);
});
