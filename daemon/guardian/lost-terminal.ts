// How a process ends whose terminal may be gone. Node 20 sets the terminal's modes back when it exits, and aborts where
// there is none any more; so that the process ends by the signal that a closed terminal sends.
import { isatty } from 'node:tty';

const standardStreams = [0, 1, 2];
/** Those that were a terminal when this process began. */
const terminals = standardStreams.filter((descriptor) => isatty(descriptor));

export function exitProcess(code: number): never {
  if (terminals.some((descriptor) => !isatty(descriptor))) {
    // With a listener the signal would not end the process.
    process.removeAllListeners('SIGHUP');
    process.kill(process.pid, 'SIGHUP');
  }
  process.exit(code);
}
