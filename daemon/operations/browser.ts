// What the operation does by which a browser is let in.
import { HostError } from '../../protocol/errors.ts';
import type { OperationResult } from '../../protocol/operations.ts';
import type { browserOperations } from '../../protocol/operations/browser.ts';
import type { Handlers } from './caller.ts';

/** Makes the one-time links that sign a browser in. */
export interface BrowserLinks {
  link(readOnly: boolean, scope: 'browse' | 'operate'): OperationResult<'browser.link'>;
}

/** `browser` answers undefined where the configuration opens no port. */
export function browserHandlers(
  browser: () => BrowserLinks | undefined,
): Pick<Handlers, keyof typeof browserOperations> {
  return {
    'browser.link': ({ readOnly, scope }) => {
      const open = browser();
      if (open === undefined) {
        throw new HostError(
          'unsupported_operation',
          'This daemon opens no port for browsers: set http.port in its configuration and start it again.',
          { instead: 'a daemon with `http.port` set' },
        );
      }
      return open.link(readOnly, scope);
    },
  };
}
