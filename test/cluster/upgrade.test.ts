// Two members are upgraded one after the other to a build of another version, under load: nothing that was accepted is
// lost, and what one of them does not understand of the other it refuses by name.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { HostError } from '../../protocol/errors.ts';
import { type Member, type NatsLab, noServer, startMember, startNats } from '../labs/nats-lab.ts';
import { makeOtherBuild } from '../labs/other-build.ts';
import { type JournalLine, journalIn, number, writePlacedPlugin } from '../labs/placed-plugin.ts';
import { temporaryFolder } from '../labs/temporary-folder.ts';
import { untilAnswer } from '../labs/until.ts';

const skip = noServer;
const one = 'test.one';
const each = 'test.each';
const shared = 'test.shared';
const services = [one, each, shared];
const leaseMs = 5000;

interface Accepted {
  readonly plugin: string;
  readonly n: number;
  /** Members that had not left when it was published. */
  readonly members: readonly string[];
}

class Upgrade {
  readonly accepted: Accepted[] = [];
  readonly members = new Map<string, Member>();
  /** Every process that was a member, by its name. */
  readonly pids = new Map<number, string>();
  readonly #t: TestContext;
  readonly #nats: NatsLab;
  readonly #folder: string;
  #over = false;
  #load: Promise<void> = Promise.resolve();

  constructor(t: TestContext, nats: NatsLab, folder: string) {
    this.#t = t;
    this.#nats = nats;
    this.#folder = folder;
    writePlacedPlugin(join(folder, one), { id: one });
    writePlacedPlugin(join(folder, each), { id: each, placement: 'each' });
    writePlacedPlugin(join(folder, shared), { id: shared, placement: 'shared' });
  }

  /** In its folder, where it was before. */
  async start(name: string, build: { readonly command?: string } = {}, folder?: string): Promise<Member> {
    const member = await startMember(this.#t, this.#nats, name, {
      ...build,
      ...(folder === undefined ? {} : { folder }),
      plugins: services.map((plugin) => join(this.#folder, plugin, plugin)),
      config: { limits: { leaseMs } },
    });
    this.pids.set(member.daemon.pid, name);
    // Its instance of the service that each member has.
    await untilAnswer(
      `an instance on ${name}`,
      () => member.client.call('service.status', { plugin: each }),
      ({ lifecycle }) => lifecycle === 'running',
    );
    this.members.set(name, member);
    return member;
  }

  /** As the documentation says: drained, shut down, and started with the other build. */
  async replace(name: string, build: { readonly command: string }): Promise<Member> {
    const { client, daemon } = this.member(name);
    await client.call('cluster.drain', {});
    await this.leaves(name, () => client.call('daemon.shutdown', {}));
    await daemon.ended;
    return await this.start(name, build, daemon.folder);
  }

  /** What is accepted from now on need not be handled there. */
  async leaves(name: string, how: () => Promise<unknown>): Promise<void> {
    this.members.delete(name);
    await how();
  }

  member(name: string): Member {
    const found = this.members.get(name);
    assert.ok(found !== undefined, `${name} is a member`);
    return found;
  }

  /** Publishes to all services through all members that are there, until it is ended. */
  begin(): void {
    this.#load = (async () => {
      for (let n = 1; !this.#over; n += 1) {
        const members = [...this.members.values()];
        const member = members[n % Math.max(1, members.length)];
        const plugin = services[n % services.length] ?? one;
        const event = { ...number(n), idempotencyKey: `n-${String(n)}`, key: `k-${String(n % 20)}` };
        const names = members.map(({ name }) => name);
        const answer = member?.client.call('ingress.publish', { plugin, event });
        const told = await answer?.then(
          () => true,
          () => false,
        );
        // Who left meanwhile was asked for nothing.
        if (told === true) this.accepted.push({ plugin, n, members: names.filter((name) => this.members.has(name)) });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
  }

  async end(): Promise<void> {
    this.#over = true;
    await this.#load;
  }

  journal(plugin: string): JournalLine[] {
    return journalIn(join(this.#folder, plugin));
  }

  /** What was accepted and has not been handled; for `each`, by every member that had to. */
  missing(): string[] {
    const handled = new Set<string>();
    for (const plugin of services)
      for (const { what, n, pid } of this.journal(plugin)) {
        if (what !== 'ended') continue;
        handled.add(`${plugin} ${String(n)}`);
        handled.add(`${plugin} ${String(n)} ${this.pids.get(pid) ?? ''}`);
      }
    return this.accepted
      .flatMap(({ plugin, n, members }) =>
        plugin === each ? members.map((name) => `${plugin} ${String(n)} ${name}`) : [`${plugin} ${String(n)}`],
      )
      .filter((wanted) => !handled.has(wanted));
  }

  /** So many more, while both were members. */
  async accepts(count: number): Promise<void> {
    const told = (): number => this.accepted.filter(({ members }) => members.length === 2).length;
    const before = told();
    await untilAnswer(
      `${String(count)} accepted events`,
      () => Promise.resolve(told() - before),
      (more) => more >= count,
    );
  }

  async runsOn(name: string): Promise<void> {
    await untilAnswer(
      `the service on ${name}`,
      () => this.member(name).client.call('service.status', { plugin: one }),
      ({ lifecycle, placement }) => lifecycle === 'running' && placement?.member === name,
    );
  }
}

const refused = (code: string, message: RegExp) => (error: HostError) => {
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  return true;
};

test(
  'a cluster is upgraded member by member under load, and nothing that was accepted is lost',
  { skip },
  async (t) => {
    const [nats, folder] = await Promise.all([startNats(t), temporaryFolder(t)]);
    const next = makeOtherBuild(join(folder, 'next'), '9.9.9', 2);
    const upgrade = new Upgrade(t, nats, folder);
    await Promise.all([upgrade.start('a'), upgrade.start('b')]);
    upgrade.begin();
    await upgrade.accepts(30);

    const b = await upgrade.replace('b', next);
    await upgrade.runsOn('a');
    const seen = await untilAnswer(
      'both versions',
      () => upgrade.member('a').client.call('cluster.status', {}),
      ({ members }) => members.some(({ member, version }) => member === 'b' && version === '9.9.9'),
    );
    const own = seen.members.find(({ member }) => member === 'a')?.version ?? '';
    assert.notEqual(own, '9.9.9');
    // Calls between the two are refused by name, in both directions; what goes through the server is not.
    const both = new RegExp(`a \\(${own.replaceAll('.', '\\.')}\\).* b \\(9\\.9\\.9\\)`);
    await assert.rejects(
      () => b.client.call('ingress.deliver', { plugin: one, event: number(0) }),
      refused('member_version', both),
    );
    await assert.rejects(() => b.client.call('cluster.drain', { member: 'a' }), refused('member_version', both));
    await assert.rejects(
      () => upgrade.member('a').client.call('cluster.drain', { member: 'b' }),
      refused('member_version', /b \(9\.9\.9\).* a \(/),
    );

    await upgrade.accepts(30);
    const a = upgrade.member('a');
    await a.client.call('cluster.drain', {});
    await upgrade.runsOn('b');
    // The way back is closed: what the later build wrote may mean nothing to the earlier one.
    await a.client.call('cluster.drain', { undo: true });
    await upgrade.leaves('b', () => Promise.resolve(b.daemon.signal('SIGKILL')));
    await b.daemon.ended;
    const waiting = await untilAnswer(
      'a refusal',
      () => a.client.call('service.status', { plugin: one }),
      ({ placement }) => /version 9\.9\.9/.test(placement?.waits ?? ''),
    );
    assert.match(waiting.placement?.waits ?? '', /older and does not understand .* upgrade this member/);
    assert.notEqual(waiting.lifecycle, 'running');

    await upgrade.start('b', next, b.daemon.folder);
    await upgrade.runsOn('b');
    await upgrade.replace('a', next);
    await untilAnswer(
      'one version',
      () => upgrade.member('b').client.call('cluster.status', {}),
      ({ members }) =>
        members.length === 2 && members.every(({ version, state }) => version === '9.9.9' && state === 'active'),
    );
    const answered = await upgrade.member('a').client.call('ingress.deliver', { plugin: one, event: number(0) });
    assert.ok(answered);
    await upgrade.accepts(30);
    await upgrade.end();
    await untilAnswer(
      'everything that was accepted',
      () => Promise.resolve(upgrade.missing()),
      (missing) => missing.length === 0,
    );
  },
);
