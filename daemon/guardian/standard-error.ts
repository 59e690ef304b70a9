// Where the command's words for a person go. Under a guardian that is not descriptor 2, whose other end the guardian
// reads to learn why a daemon died, but the standard error that the guardian was given itself.
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { guardianVariable, standardErrorDescriptor } from './wire.ts';

const guarded = process.send !== undefined && process.env[guardianVariable] === String(process.ppid);

export const standardError = {
  descriptor: guarded ? standardErrorDescriptor : 2,
  isTTY: isatty(guarded ? standardErrorDescriptor : 2),
  write(text: string): void {
    if (!guarded) {
      process.stderr.write(text);
      return;
    }
    try {
      writeSync(standardErrorDescriptor, text);
    } catch {
      // Its reader is slow or gone: nobody is left to complain to.
    }
  },
};
