// Folders that a plugin has opened: each holds a descriptor, which is counted until it is closed.
import fs, { type Dir } from 'node:fs';
import { replace } from './denial.ts';
import { closedHandle, openedHandle, requireRoom } from './descriptors.ts';

type FolderFunction = (...args: unknown[]) => unknown;

const { apply } = Reflect;

export function shieldFolders(): void {
  const { opendirSync } = fs as unknown as Record<string, FolderFunction>;
  const opendir = fs.opendir as unknown as FolderFunction;
  const promised = fs.promises.opendir as unknown as (...args: unknown[]) => Promise<Dir>;
  replace(
    fs,
    'opendirSync',
    like(opendirSync as FolderFunction, (...args) => {
      requireRoom();
      return remembered((opendirSync as FolderFunction)(...args) as Dir);
    }),
  );
  replace(
    fs,
    'opendir',
    like(opendir, (...args) => {
      const callback = args.at(-1);
      if (typeof callback !== 'function') return opendir(...args);
      requireRoom();
      return opendir(...args.slice(0, -1), (error: unknown, folder: Dir) =>
        (callback as FolderFunction)(error, error === null ? remembered(folder) : folder),
      );
    }),
  );
  replace(
    fs.promises,
    'opendir',
    like(promised, async (...args) => {
      requireRoom();
      return remembered(await promised(...args));
    }),
  );
  for (const name of ['close', 'closeSync'] as const) {
    const close = fs.Dir.prototype[name];
    replace(
      fs.Dir.prototype,
      name,
      like(close, function (this: Dir, ...args) {
        closedHandle(this);
        return apply(close, this, args);
      }),
    );
  }
}

function like(original: FolderFunction, wrapper: (this: Dir, ...args: unknown[]) => unknown): unknown {
  return Object.defineProperties(wrapper, { name: { value: original.name }, length: { value: original.length } });
}

function remembered(folder: Dir): Dir {
  openedHandle(folder);
  return folder;
}
