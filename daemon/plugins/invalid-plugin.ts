// A plugin that was found and refused, as `plugin.list` shows it.
import { type HostError, type Issue, asHostError } from '../../protocol/errors.ts';
import type { OperationResult } from '../../protocol/operations.ts';

export type InvalidPlugin = OperationResult<'plugin.list'>['invalid'][number];

export function invalidPlugin(path: string, thrown: unknown): InvalidPlugin {
  const error = asHostError(thrown);
  return { path, issues: issuesIn(error) ?? [{ path: '', message: error.message }] };
}

function issuesIn({ code, details }: HostError): Issue[] | undefined {
  // readPlugin is the only maker of this error and always fills them in.
  return code === 'plugin_invalid' && Array.isArray(details['issues']) ? (details['issues'] as Issue[]) : undefined;
}
