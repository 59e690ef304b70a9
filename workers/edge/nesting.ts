// How deep a JSON text nests, found without building it: what reads it later may do so by recursion.

const quote = 0x22;
const backslash = 0x5c;

/** The text is known to be JSON. */
export function nestsDeeper(json: string, most: number): boolean {
  let depth = 0;
  for (let at = 0; at < json.length; at += 1) {
    const unit = json.charCodeAt(at);
    if (unit === quote) {
      for (at += 1; json.charCodeAt(at) !== quote && at < json.length; at += 1) {
        if (json.charCodeAt(at) === backslash) at += 1;
      }
    } else if (unit === 0x7b || unit === 0x5b) {
      depth += 1;
      if (depth > most) return true;
    } else if (unit === 0x7d || unit === 0x5d) {
      depth -= 1;
    }
  }
  return false;
}

export const tooDeep = (most: number): string => `the body nests deeper than ${String(most)} levels (limits.nesting)`;
