#!/usr/bin/env node
// The `nagaya` command. `serve` becomes the guardian, which starts the same command again for the daemon; everything
// else is in main.ts. Whichever it is, the other one is not loaded.
import { wantsGuardian } from '../guardian/wants-guardian.ts';

const argv = process.argv.slice(2);
if (wantsGuardian(argv, process.env)) {
  const { runGuardian } = await import('../guardian/guardian.ts');
  runGuardian(argv);
} else {
  const { main } = await import('./main.ts');
  await main(argv);
}
