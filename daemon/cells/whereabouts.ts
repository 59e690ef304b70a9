// Where a plugin's code is when its time is up, so that the answer names the culprit and not only the fact.

export interface StackFrame {
  readonly function: string;
  /** Relative to the plugin's folder; `node:…` for Node's own. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export type Whereabouts =
  /** Executing JavaScript: the plugin's own frames, innermost first. */
  | { readonly kind: 'javascript'; readonly frames: readonly StackFrame[] }
  /** The thread does not answer: it sits inside native code. */
  | { readonly kind: 'native'; readonly frames: readonly StackFrame[] }
  /** The event loop is free: the handler awaits something that does not come. */
  | { readonly kind: 'waiting'; readonly frames: readonly StackFrame[] }
  | { readonly kind: 'unknown'; readonly frames: readonly StackFrame[] };

/** For a message; nothing where nothing is known. */
export function whereText({ kind, frames }: Whereabouts): string {
  const [innermost] = frames;
  const place = innermost === undefined ? '' : `${innermost.file}:${String(innermost.line)}, ${innermost.function}`;
  switch (kind) {
    case 'javascript':
      return place === '' ? '' : `blocked in ${place}`;
    case 'native':
      return `inside native code${place === '' ? '' : `, last seen in ${place}`}`;
    case 'waiting':
      return `waiting for something that did not come${place === '' ? '' : `, last seen in ${place}`}`;
    case 'unknown':
      return '';
  }
}
