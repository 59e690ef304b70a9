// The id under which the daemon offers what it brings along itself. A plugin of that id would be loaded and listed, and
// its profiles could never be reached: it is refused where it is read.
import type { Issue } from '../../protocol/errors.ts';

export const builtinId = 'builtin';

/** Nothing where a plugin may have this id. */
export function reservedIdIssue(id: string): Issue | undefined {
  if (id !== builtinId) return undefined;
  return {
    path: 'id',
    message: `must not be "${builtinId}", which names what the daemon brings along; choose another, such as "example.${builtinId}"`,
  };
}
