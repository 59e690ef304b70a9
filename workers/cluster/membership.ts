// This daemon among the members: a heartbeat in the KV, under a name that no other living daemon has.
import type { KV } from '@nats-io/kv';
import {
  type Announcement,
  type ClusterData,
  type ClusterFault,
  type MemberRecord,
  type MemberView,
  clusterProtocol,
} from '../../protocol/cluster/messages.ts';
import { memberForm, openIdForm, pluginIdForm } from '../../protocol/identifier-forms.ts';
import { type Board, isOutdated, memberKey, parsed } from './board.ts';
import { type Self, renewAfterMs, staleAfterMs } from './lease-rules.ts';

export class Membership {
  readonly #data: ClusterData;
  readonly #self: Self;
  readonly #board: Board;
  readonly #nowMs: () => number;
  #announcement: Announcement = { state: 'active', services: [], tools: [], runtimes: [] };
  #announced = true;
  #sentMs = -Infinity;
  #revision = 0;
  #writing = false;
  /** Whether the name is this daemon's, as far as is known. */
  joined = false;
  fault: ClusterFault | null = null;

  constructor(data: ClusterData, self: Self, board: Board, nowMs: () => number) {
    this.#data = data;
    this.#self = self;
    this.#board = board;
    this.#nowMs = nowMs;
  }

  get draining(): boolean {
    return this.#announcement.state === 'draining';
  }

  announce(announcement: Announcement): void {
    this.#announcement = announcement;
    this.#announced = false;
  }

  /** The connection is another: what was written before may not be there. */
  begin(): void {
    this.#sentMs = -Infinity;
  }

  async tick(kv: KV): Promise<void> {
    const due = !this.#announced || this.#nowMs() - this.#sentMs >= renewAfterMs(this.#data.leaseMs);
    if (this.#writing || !due) return;
    this.#writing = true;
    this.#announced = true;
    this.#sentMs = this.#nowMs();
    try {
      await this.#write(kv);
      this.joined = true;
      this.fault = null;
    } catch (thrown) {
      this.#announced = false;
      if (isOutdated(thrown)) await this.#lookAgain(kv);
    } finally {
      this.#writing = false;
    }
  }

  /** Others need not wait until it is missed. */
  async leave(kv: KV): Promise<void> {
    if (!this.joined) return;
    this.joined = false;
    await kv.delete(memberKey(this.#data.member), { previousSeq: this.#revision }).catch(() => undefined);
  }

  views(): MemberView[] {
    const nowMs = this.#nowMs();
    const { leaseMs, member: own } = this.#data;
    return [...this.#board.members.values()]
      .filter(({ value }) => isWhole(value))
      .map(({ value: { session: _session, ...record }, sinceMs }) => ({
        ...record,
        state: nowMs - sinceMs >= staleAfterMs(leaseMs) ? ('lost' as const) : record.state,
        self: record.member === own,
      }))
      .sort((one, other) => (one.member < other.member ? -1 : 1));
  }

  async #write(kv: KV): Promise<void> {
    const { member, version } = this.#data;
    const record: MemberRecord & Self = { ...this.#announcement, version, protocol: clusterProtocol, ...this.#self };
    const text = JSON.stringify(record);
    this.#revision =
      this.#revision === 0
        ? await kv.create(memberKey(member), text)
        : await kv.update(memberKey(member), text, this.#revision);
  }

  /** Somebody else has written the entry: an earlier life of this daemon, one that is gone, or a living namesake. */
  async #lookAgain(kv: KV): Promise<void> {
    const key = memberKey(this.#data.member);
    const entry = await kv.get(key).catch(() => undefined);
    if (entry === undefined) return;
    this.#sentMs = -Infinity;
    const found =
      entry?.operation === 'PUT' ? (parsed(entry.value) as Partial<MemberRecord & Self> | undefined) : undefined;
    if (entry === null || found === undefined || (found.instance === this.#self.instance && !this.joined)) {
      this.#revision = entry === null || entry.operation !== 'PUT' ? 0 : entry.revision;
      return;
    }
    const seen = this.#board.members.get(this.#data.member);
    if (seen !== undefined && this.#nowMs() - seen.sinceMs >= staleAfterMs(this.#data.leaseMs)) {
      this.#revision = entry.revision;
      return;
    }
    this.joined = false;
    this.#sentMs = this.#nowMs();
    this.fault = {
      code: 'cluster_member_taken',
      message: `Another daemon is the member ${this.#data.member} of the cluster ${this.#data.name}: set another cluster.member.`,
    };
  }
}

/** What a member of another version writes may lack something, and anybody may write into the bucket. */
const isWhole = ({ member, services, tools, runtimes }: Partial<Record<keyof MemberRecord, unknown>>): boolean =>
  fits(memberForm, member) &&
  Array.isArray(tools) &&
  every(services, 'plugin', pluginIdForm) &&
  every(runtimes, 'runtimeId', openIdForm);

const fits = (form: RegExp, value: unknown): boolean => typeof value === 'string' && form.test(value);

const every = (rows: unknown, field: string, form: RegExp): boolean =>
  Array.isArray(rows) &&
  rows.every(
    (row: unknown) =>
      typeof row === 'object' && row !== null && fits(form, (row as Readonly<Record<string, unknown>>)[field]),
  );
