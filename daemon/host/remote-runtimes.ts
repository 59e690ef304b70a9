// The runtimes of other members in this daemon's registry: they come with a member's heartbeat, stay as unavailable
// while the member is not heard of, and go when it has left.
import type { MemberRuntime, MemberView } from '../../protocol/cluster/messages.ts';
import type { MemberRequest } from '../cluster/cluster.ts';
import type { Registry } from '../runtimes/registry.ts';
import { RemoteRuntime } from '../runtimes/remote/remote-runtime.ts';
import type { Clock } from '../time/clock.ts';

type Ask = (request: MemberRequest) => Promise<unknown>;

const idOf = (member: string, { runtimeId }: MemberRuntime): string => `${member}.${runtimeId}`;

export class RemoteRuntimes {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #ask: Ask;
  /** By the id here, with what it was made from. */
  readonly #shown = new Map<string, string>();

  constructor(registry: Registry, clock: Clock, ask: Ask) {
    this.#registry = registry;
    this.#clock = clock;
    this.#ask = ask;
  }

  show(members: readonly MemberView[]): void {
    const wanted = new Map(
      members.flatMap(({ member, runtimes }) =>
        runtimes.map((runtime) => [idOf(member, runtime), { member, runtime }] as const),
      ),
    );
    for (const [id, text] of this.#shown) {
      const found = wanted.get(id);
      if (found === undefined || JSON.stringify(found) !== text) this.#remove(id);
    }
    for (const [id, { member, runtime }] of wanted) {
      if (this.#shown.has(id)) continue;
      this.#shown.set(id, JSON.stringify({ member, runtime }));
      this.#registry.add(
        new RemoteRuntime({
          runtimeId: id,
          ownId: runtime.runtimeId,
          displayName: `${runtime.displayName} (${member})`,
          capabilities: runtime.capabilities,
          clock: this.#clock,
          ask: (operation, params, { timeoutMs, signal }) =>
            this.#ask({
              member,
              operation,
              params: JSON.stringify(params),
              ...(timeoutMs === undefined ? {} : { timeoutMs }),
              ...(signal === undefined ? {} : { signal }),
            }),
        }),
      );
    }
  }

  #remove(id: string): void {
    this.#shown.delete(id);
    void this.#registry.remove(id);
  }
}
