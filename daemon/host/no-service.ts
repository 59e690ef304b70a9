// The refusal of an operation that needs a service, for a plugin that has none.
import { HostError } from '../../protocol/errors.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';

export function noService({ id, manifest: { tools, profiles } }: LoadedPlugin): HostError {
  const offered = [
    ...(tools.length > 0 ? ['tools'] : []),
    ...(profiles.length > 0 ? ['profiles for workers'] : []),
  ].join(' and ');
  return new HostError(
    'unsupported_operation',
    `The plugin ${id} has no service; it offers ${offered === '' ? 'nothing that can be called' : offered}.`,
    { plugin: id, ...(offered === '' ? {} : { instead: `its ${offered}` }), tools: tools.map(({ name }) => name) },
  );
}

export const takesNoEvents = (id: string): HostError =>
  new HostError('unsupported_operation', `The plugin ${id} is an MCP server, which takes no events.`, {
    plugin: id,
    instead: 'its tools',
  });
