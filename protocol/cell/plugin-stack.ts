// A stack as the author of a plugin reads it: the plugin's own frames first, and few of those of Node and of the
// daemon, which called the plugin and say nothing of its fault.

/** How many frames of Node and the daemon stay behind the plugin's own. */
const maxForeignAfterOwn = 1;
/** How many stay where none is the plugin's own: then they are all that is known. */
const maxForeignAlone = 4;
/** A stack longer than this is no stack of Node's making, and is cut by whoever keeps it. */
const maxLines = 200;

/** The folder that holds the daemon's code, compiled or not, as a path with a slash behind it. */
const installation = decodeURI(new URL(import.meta.url).pathname)
  .replace(/^([^]*\/)(?:protocol|workers|daemon)\/[^]*$/, '$1')
  .replace(/\/dist\/$/, '/');

const frameLine = /^\s+at /;

function isForeign(line: string): boolean {
  if (/\(node:|at (?:async )?node:|\(native\)|\(<anonymous>\)/.test(line)) return true;
  const at = line.indexOf(installation);
  return at >= 0 && /^(?:dist\/)?(?:workers|daemon|protocol)\//.test(line.slice(at + installation.length));
}

/** The frames in their order, after all that stands before the first of them. */
export function pluginStack(stack: string): string {
  const lines = stack.split('\n', maxLines + 1);
  const first = lines.findIndex((line) => frameLine.test(line));
  if (first < 0 || lines.length > maxLines) return stack;
  const frames = lines.slice(first);
  const lastOwn = frames.findLastIndex((line) => !isForeign(line));
  const kept =
    lastOwn < 0
      ? frames.slice(0, maxForeignAlone)
      : [
          ...frames.slice(0, lastOwn + 1).filter((line) => !isForeign(line)),
          ...frames.slice(lastOwn + 1, lastOwn + 1 + maxForeignAfterOwn),
        ];
  return [...lines.slice(0, first), ...kept].join('\n');
}
