// Three commands for whoever has just started a daemon: an event for a service that runs, a call of a tool or a worker,
// and a look at it all. They are made from the plugins' own manifests, so that they work when pasted.
import type { Client } from '../../protocol/client/client.ts';
import { type DeclaredIngress, ingressesOf } from './event-options.ts';
import { pasteable } from './install.ts';
import { sampleValue } from './authoring/sample-value.ts';
import { defaultRuntime } from './worker-address.ts';
import { pluginOf } from './views/worker-view.ts';

/** How many services are looked at for one to try. */
const mostAsked = 10;

interface SampleIngress extends DeclaredIngress {
  readonly payloadSchema?: unknown;
}

export async function commandsToTry(client: Client, socket: string): Promise<string[]> {
  const [{ plugins }, { tools }] = await Promise.all([client.call('plugin.list', {}), client.call('tool.list', {})]);
  const running = plugins.filter(({ lifecycle }) => lifecycle === 'running').map(({ id }) => id);
  const tool = tools.find(({ plugin }) => plugins.some(({ id, state }) => id === plugin && state === 'loaded'));
  const deliver = await deliverWords(client, running.slice(0, mostAsked));
  const call = tool === undefined ? undefined : ['call', tool.plugin, tool.name, ...inputWords(tool.inputSchema)];
  const words = [deliver ?? ['status'], call ?? (await workerWords(client)) ?? ['plugins'], ['watch']];
  return words.map((command) => pasteable(command, socket));
}

async function deliverWords(client: Client, plugins: readonly string[]): Promise<string[] | undefined> {
  const shown = await Promise.all(plugins.map((plugin) => client.call('plugin.show', { plugin })));
  // What a source brings has the shape of its sender: a service without one is easier to try by hand.
  const chosenOne = shown.find(({ manifest }) => !hasSources(manifest)) ?? shown[0];
  if (chosenOne === undefined) return undefined;
  const { plugin, manifest } = { ...chosenOne, plugin: chosenOne.plugin.id };
  const ingresses: SampleIngress[] = ingressesOf(manifest);
  const [ingress] = ingresses;
  const [kind] = ingress?.kinds ?? [];
  if (ingress === undefined || kind === undefined) return undefined;
  const chosen = [
    ...(ingresses.length > 1 ? ['--ingress', ingress.name] : []),
    ...(ingress.kinds.length > 1 ? ['--kind', kind] : []),
  ];
  return ['deliver', plugin, ...inputWords(ingress.payloadSchema), ...chosen];
}

function hasSources(manifest: Readonly<Record<string, unknown>>): boolean {
  const service = manifest['service'] as { sources?: readonly unknown[] } | undefined;
  return (service?.sources ?? []).length > 0;
}

/** Nothing where no plugin brings a profile. */
async function workerWords(client: Client): Promise<string[] | undefined> {
  const { profiles } = await client.call('runtime.show', { runtimeId: defaultRuntime });
  const own = profiles.find(({ name }) => pluginOf(name) !== undefined);
  return own === undefined ? undefined : ['worker', 'new', '--profile', own.name];
}

/** Nothing where anything, and so nothing, is accepted. */
function inputWords(schema: unknown): string[] {
  const sample = sampleValue(schema);
  return sample === null ? [] : [JSON.stringify(sample)];
}
