// What is different for a daemon under a guardian: whose sockets it listens on, and whom it tells that it is ready, and
// that it ends. Without a guardian it makes its sockets itself and tells nobody.
import type { BrowserServerOptions } from '../control/browser/browser-server.ts';
import type { ListenOnControl } from '../control/socket/control-socket.ts';
import { lossAccount } from '../files/loss-account.ts';
import type { RestartOptions } from '../services/restart-policy.ts';
import type { Guarding } from './link.ts';
import { accountDescriptor, reportDescriptor } from './wire.ts';

/** A signal to every process of a group comes to the daemon directly and, within this, from its guardian as well. */
const groupSignalMs = 250;

interface Ending {
  onSignals(sameWithinMs: number): void;
  begin(reason: string): void;
}

export interface UnderGuardian {
  readonly control: string | ListenOnControl;
  readonly browser: Pick<BrowserServerOptions, 'listenOn'>;
  /** For the announcement: who the guardian is, and how many daemons died before this one. */
  readonly told: { readonly guardianPid: number | null; readonly deaths: number };
  /** `reload` is what a reload by the service manager asks for. */
  ready(shutdown: Ending, restart: RestartOptions, reload: () => Promise<unknown>): void;
  ending(reason: string): void;
}

/** What is known at a fatal error goes into files that the guardian has open as well. */
function surviveDeath(): void {
  lossAccount.open(accountDescriptor);
  if (process.report === undefined) return;
  process.report.reportOnFatalError = true;
  process.report.compact = true;
  process.report.directory = process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd';
  process.report.filename = String(reportDescriptor);
}

export function underGuardian(guarding: Guarding | undefined, socket: string): UnderGuardian {
  if (guarding === undefined) {
    return {
      control: socket,
      browser: {},
      told: { guardianPid: null, deaths: 0 },
      ready: (shutdown) => shutdown.onSignals(0),
      ending: () => undefined,
    };
  }
  const { link, deaths } = guarding;
  surviveDeath();
  return {
    control: link.listenOnControl(socket),
    browser: { listenOn: link.listenOnPort },
    told: { guardianPid: link.guardianPid, deaths: deaths.length },
    ready(shutdown, restart, reload) {
      shutdown.onSignals(groupSignalMs);
      link.whenGone(() => shutdown.begin('the guardian is gone'));
      link.whenReload(() =>
        reload().then(
          () => undefined,
          (error: unknown) => (error instanceof Error ? error.message : String(error)),
        ),
      );
      link.send({ type: 'ready', restart });
    },
    ending: (reason) => link.send({ type: 'ending', reason }),
  };
}
