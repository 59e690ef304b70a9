// Where a plugin's code is when its time is up, so that the answer names the culprit and not only the fact.

export interface StackFrame {
  readonly function: string;
  /** Relative to the plugin's folder; `(eval)` or `(WebAssembly)` for code that is in no file. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export type Whereabouts =
  /** Executing JavaScript: the plugin's own frames, innermost first. */
  | { readonly kind: 'javascript'; readonly frames: readonly StackFrame[] }
  /** The thread does not answer: it sits inside native code, and computes or waits there. */
  | { readonly kind: 'native'; readonly frames: readonly StackFrame[]; readonly doing?: 'computing' | 'waiting' }
  /** The event loop is free: the handler awaits something that does not come. `open` is what could still wake it. */
  | { readonly kind: 'waiting'; readonly frames: readonly StackFrame[]; readonly open?: readonly string[] }
  /** It cannot be asked, or had no processor time to answer with. */
  | { readonly kind: 'unknown'; readonly frames: readonly StackFrame[] };

const placeOf = ({ file, line, column, function: name }: StackFrame): string =>
  `${file}:${String(line)}:${String(column)}, ${name}`;

/** As an error tells its stack; nothing where no frame is known. */
export function stackText(title: string, { frames }: Whereabouts): string | undefined {
  if (frames.length === 0) return undefined;
  return [
    title,
    ...frames.map((frame) => `    at ${frame.function} (${frame.file}:${String(frame.line)}:${String(frame.column)})`),
  ].join('\n');
}

/** The innermost frame, and by whose call it came to that. */
function placeText(frames: readonly StackFrame[]): string {
  const innermost = frames[0];
  const outermost = frames.at(-1);
  if (innermost === undefined || outermost === undefined) return '';
  return innermost === outermost ? placeOf(innermost) : `${placeOf(innermost)} (called from ${placeOf(outermost)})`;
}

/** Node's names of what is open, each once and with its count. */
function openText(open: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of open) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (count === 1 ? name : `${String(count)} ${name}`)).join(', ');
}

const nativeText = { computing: ' that computes', waiting: ' that waits' } as const;

/** For a message; nothing where nothing is known. */
export function whereText(where: Whereabouts): string {
  const place = placeText(where.frames);
  const lastSeen = place === '' ? '' : `, last seen in ${place}`;
  switch (where.kind) {
    case 'javascript':
      return place === '' ? "busy, though in none of the plugin's own functions" : `blocked in ${place}`;
    case 'native':
      return `inside native code${where.doing === undefined ? '' : nativeText[where.doing]}${lastSeen}`;
    case 'waiting': {
      const open =
        where.open === undefined
          ? ''
          : where.open.length === 0
            ? '; nothing is open that could wake it'
            : `; open is ${openText(where.open)}`;
      return `waiting for something that did not come${lastSeen}${open}`;
    }
    case 'unknown':
      return '';
  }
}
