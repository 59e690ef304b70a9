// The options by which `publish` and `deliver` describe an event. A service with one ingress of one kind needs none
// of them: its manifest says what is meant.
import type { Command } from 'commander';
import type { Client } from '../../protocol/client/client.ts';
import type { IngressEventInput } from '../../protocol/event.ts';
import { usageFailure } from './failure.ts';

export interface EventOptions {
  readonly ingress?: string;
  readonly kind?: string;
  readonly source?: string;
  readonly correlationId?: string;
}

export function eventOptions(command: Command): Command {
  return command
    .option('--ingress <name>', 'entrance of the service (default: the only one)')
    .option('--kind <name>', 'kind of event (default: the only one of the ingress)')
    .option('--source <id>', 'who sends it', 'cli')
    .option('--correlation-id <id>', 'name to find it by (default: made by the daemon)');
}

export interface DeclaredIngress {
  readonly name: string;
  readonly kinds: readonly string[];
}

/** Manifests travel as loose JSON: newer daemons may add what this command does not know. */
export function ingressesOf(manifest: Readonly<Record<string, unknown>>): DeclaredIngress[] {
  const service = manifest['service'] as { ingresses?: DeclaredIngress[] } | undefined;
  return service?.ingresses ?? [];
}

function only(
  names: readonly string[],
  option: string,
  said: { readonly none: string; readonly several: string },
): string {
  const [first] = names;
  if (first !== undefined && names.length === 1) return first;
  throw usageFailure(
    names.length === 0 ? `${said.none}.` : `${said.several}: ${names.join(', ')}.`,
    `Name one with ${option}.`,
  );
}

/** What every event of this command line has in common. */
export async function eventBase(
  client: Client,
  plugin: string,
  options: EventOptions,
): Promise<Omit<IngressEventInput, 'payload'>> {
  const { ingress, kind } =
    options.ingress !== undefined && options.kind !== undefined
      ? { ingress: options.ingress, kind: options.kind }
      : await declaredFor(client, plugin, options);
  return {
    ingress,
    kind,
    ...(options.source === undefined ? {} : { source: options.source }),
    ...(options.correlationId === undefined ? {} : { correlationId: options.correlationId }),
  };
}

async function declaredFor(
  client: Client,
  plugin: string,
  options: EventOptions,
): Promise<{ ingress: string; kind: string }> {
  const { manifest } = await client.call('plugin.show', { plugin });
  const ingresses = ingressesOf(manifest);
  if (ingresses.length === 0)
    throw usageFailure(
      `${plugin} has no service, so it takes no events.`,
      `See its tools with \`nagaya tools ${plugin}\`.`,
    );
  const candidates =
    options.kind === undefined ? ingresses : ingresses.filter(({ kinds }) => kinds.includes(options.kind ?? ''));
  const ofKind = options.kind === undefined ? '' : ` for the kind ${options.kind}`;
  const ingress =
    options.ingress ??
    only(
      candidates.map(({ name }) => name),
      '--ingress',
      { none: `${plugin} declares no ingress${ofKind}`, several: `${plugin} declares several ingresses${ofKind}` },
    );
  const kinds = ingresses.find(({ name }) => name === ingress)?.kinds ?? [];
  // An ingress that is not declared is refused by the daemon, with what is.
  const kind =
    options.kind ??
    (kinds.length === 0
      ? 'unknown'
      : only(kinds, '--kind', {
          none: `The ingress ${ingress} of ${plugin} takes no kind`,
          several: `The ingress ${ingress} of ${plugin} takes several kinds`,
        }));
  return { ingress, kind };
}
