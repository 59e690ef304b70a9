// Finds what a declaration names by a JSON pointer.

/** Undefined where there is no text or number. */
export function scalarAt(value: unknown, pointer: string): string | number | undefined {
  let found = value;
  for (const step of pointer.slice(1).split('/')) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Readonly<Record<string, unknown>>)[key];
  }
  return typeof found === 'string' || typeof found === 'number' ? found : undefined;
}
