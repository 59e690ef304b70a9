// What the operation does by which a browser is let in.
import { HostError } from '../../protocol/errors.ts';
import type { browserOperations } from '../../protocol/operations/browser.ts';
import type { BrowserServer } from '../control/browser/browser-server.ts';
import type { Handlers } from './caller.ts';

/** Undefined where the configuration opens no port. */
export function browserHandlers(browser: () => Pick<BrowserServer, 'link'> | undefined): Pick<Handlers, keyof typeof browserOperations> {
  return {
    'browser.link': ({ readOnly }) => {
      const open = browser();
      if (open === undefined) {
        throw new HostError('unsupported_operation', 'This daemon opens no port for browsers: set http.port in its configuration and start it again.', { instead: 'http.port' });
      }
      return open.link(readOnly);
    },
  };
}
