// The daemon's control socket, kept from a plugin under permissions that was not granted it: through the socket it
// could load another plugin, which has what this one was denied. Node does not tell who is at the other end of a unix
// socket, so the path is judged before the connection is made.
import fs from 'node:fs';
import { resolve } from 'node:path';
import { Denied, replace } from './denial.ts';
import { type NativePrototype, nativeClasses } from './native.ts';

const { statSync } = fs;
const realpath = fs.realpathSync.native;
const { apply } = Reflect;

let kept: string | undefined;

/** Undefined where the plugin may use it. */
export const controlSocket = (): string | undefined => kept;

export function shieldControlSocket(path: string): void {
  kept = path;
  const { pipe } = nativeClasses();
  const { connect } = pipe as { connect: (this: object, ...args: unknown[]) => unknown };
  replace(
    pipe satisfies NativePrototype,
    'connect',
    function (this: object, request: unknown, target: unknown, ...rest: unknown[]) {
      const text = String(target);
      requireOther(text, path);
      return apply(connect, this, [request, text, ...rest]);
    },
  );
}

/** Where the path cannot be looked at, it could be another name of the control socket. */
function requireOther(target: string, path: string): void {
  // Not in the file system at all.
  if (target.startsWith('\0') || target === '') return;
  const full = resolve(target);
  if (full === path) refuse();
  const [theirs, ours] = [identityOf(full), identityOf(path)];
  if (theirs === 'hidden') {
    throw new Denied(
      `Connecting to the socket ${full}`,
      "the plugin may not read it, so that nothing tells it from the daemon's control socket",
      `Grant its path with "permissions": { "fs": { "read": [${JSON.stringify(full)}] } } in plugin.json.`,
    );
  }
  if (theirs === 'absent') return;
  if (theirs === ours || realPathOf(full) === path) refuse();
}

function refuse(): never {
  throw new Denied(
    "Connecting to the daemon's control socket",
    'the plugin could load another one that has what it was not granted',
    'Grant it with "permissions": { "control": true } in plugin.json.',
  );
}

/** Device and inode, `absent`, or `hidden` where the permission model keeps the cell from it. */
function identityOf(path: string): string {
  try {
    const { dev, ino } = statSync(path);
    return `${String(dev)}:${String(ino)}`;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'ENOENT' ? 'absent' : 'hidden';
  }
}

function realPathOf(path: string): string | undefined {
  try {
    return realpath(path);
  } catch {
    return undefined;
  }
}
