// What the guardian itself has to say: on standard error, in the form of the daemon's log, which goes there too.
import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';

export type Tell = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

const standardError = 2;

export function guardianLog(json: boolean): Tell {
  const readable = !json && isatty(standardError);
  return (level, message, fields = {}) => {
    const time = new Date().toISOString();
    const told = Object.entries(fields)
      .map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
      .join('');
    writeOut(
      readable
        ? `${time.slice(11, 23)} ${level.toUpperCase()} ${message}${told}\n`
        : `${JSON.stringify({ level, time, guardian: process.pid, ...fields, msg: message })}\n`,
    );
  };
}

/** To standard error, or nowhere: who reads it may be slow or gone. */
export function writeOut(text: string | Uint8Array): void {
  try {
    writeSync(standardError, text as string);
  } catch {
    // EAGAIN: the reader is slow. EPIPE: the reader has gone.
  }
}
