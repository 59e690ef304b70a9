// Who wants to hear of changes of which resource. A hosted server is asked once for each resource, however many clients
// want to hear of it, again when it was restarted, and told when nobody wants to any more.
import { ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { HostedServer } from './hosted/hosted-server.ts';
import { askForResource } from './owners.ts';
import { isFields } from '../../protocol/fields.ts';

/** A client's own server object, or one of its HTTP requests. */
export interface Holder {
  resourceUpdated(uri: string): void;
}

interface Subscription {
  readonly plugin: string;
  readonly holders: Set<Holder>;
}

/** Of all clients together. */
const maxResources = 10_000;
/** Of one. */
const maxHeld = 1000;

export class Subscriptions {
  readonly #byUri = new Map<string, Subscription>();
  readonly #gone = new WeakSet<Holder>();
  readonly #servers: () => readonly HostedServer[];
  readonly #serverOf: (plugin: string) => HostedServer | undefined;

  /** `servers`: those that offer resources. */
  constructor(servers: () => readonly HostedServer[], serverOf: (plugin: string) => HostedServer | undefined) {
    this.#servers = servers;
    this.#serverOf = serverOf;
  }

  async hold(holder: Holder, uri: string): Promise<void> {
    if (this.#heldBy(holder) >= maxHeld || this.#byUri.size >= maxResources)
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `At most ${String(maxHeld)} resources of a client and ${String(maxResources)} of all are subscribed to.`,
      );
    const known = this.#byUri.get(uri);
    if (known !== undefined) {
      known.holders.add(holder);
      return;
    }
    const nobody = `No hosted server tells of changes of ${uri.slice(0, 200)}`;
    const asked = await askForResource(this.#servers(), uri, async (server) =>
      server.tellsOfResources
        ? await server.request('resources/subscribe', { uri })
        : { ok: false, number: ProtocolErrorCode.InvalidParams, message: nobody },
    );
    if (asked?.outcome.ok !== true)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, asked?.outcome.message ?? nobody);
    const { holders } = this.#byUri.get(uri) ?? { holders: new Set<Holder>() };
    this.#byUri.set(uri, { plugin: asked.server.plugin, holders: holders.add(holder) });
    // It may have left while the server was asked.
    if (this.#gone.has(holder)) this.release(holder, uri);
  }

  release(holder: Holder, uri: string): void {
    const subscription = this.#byUri.get(uri);
    if (subscription?.holders.delete(holder) !== true || subscription.holders.size > 0) return;
    this.#byUri.delete(uri);
    // A server that does not answer that is asked nothing more anyway.
    void this.#serverOf(subscription.plugin)?.request('resources/unsubscribe', { uri });
  }

  /** It is gone for good. */
  releaseAll(holder: Holder): void {
    this.#gone.add(holder);
    for (const [uri, { holders }] of [...this.#byUri]) if (holders.has(holder)) this.release(holder, uri);
  }

  /** The server has said that a resource changed. */
  updated(plugin: string, uri: string): void {
    const subscription = this.#byUri.get(uri);
    if (subscription?.plugin !== plugin) return;
    for (const holder of subscription.holders) holder.resourceUpdated(uri);
  }

  /** A server was restarted: it knows nothing of what it was asked before. */
  resume(server: HostedServer): void {
    if (!server.tellsOfResources) return;
    for (const [uri, { plugin }] of this.#byUri)
      if (plugin === server.plugin) void server.request('resources/subscribe', { uri });
  }

  #heldBy(holder: Holder): number {
    let held = 0;
    for (const { holders } of this.#byUri.values()) if (holders.has(holder)) held += 1;
    return held;
  }
}

/** Of a request of the newer protocol; none of any other message. */
export function resourcesListenedTo(message: unknown): string[] {
  if (!isFields(message) || message['method'] !== 'subscriptions/listen' || !isFields(message['params'])) return [];
  const { notifications } = message['params'];
  const uris = isFields(notifications) ? notifications['resourceSubscriptions'] : undefined;
  return Array.isArray(uris) ? uris.filter((uri): uri is string => typeof uri === 'string').slice(0, maxHeld) : [];
}
