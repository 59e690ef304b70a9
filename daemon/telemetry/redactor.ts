// Keeps the values of a plugin's environment out of everything that is recorded: logs, timelines, errors. A value is
// found in the forms in which programs print it; an encoded or reshaped one (base64, a hash, reversed) is not.
import { secretForms } from './secret-forms.ts';
import { SecretScanner, type Span } from './secret-scanner.ts';

export const redactedMark = '[redacted]';

export class Redactor {
  readonly #scanner: SecretScanner | undefined;

  constructor(secrets: readonly string[]) {
    const forms = secretForms(secrets);
    if (forms.length > 0) this.#scanner = new SecretScanner(forms);
  }

  /** `cut`: the text is known to break off at its end, where a secret may have begun. */
  text(value: string, cut = false): string {
    const spans = this.#scanner?.scan(value, cut);
    return spans === undefined || spans.length === 0 ? value : replace(value, spans);
  }

  /** The same for JSON text: what was valid stays valid, and a secret is found however its string is escaped. */
  json(value: string): string {
    if (this.#scanner === undefined) return value;
    let done = '';
    let kept = 0;
    let at = 0;
    while (at < value.length) {
      const end = tokenEnd(value, at);
      if (end === unfinished) return done + value.slice(kept, at) + this.text(value.slice(at), true);
      const token = value.slice(at, end);
      const clean = token.startsWith('"') ? this.#string(token) : this.#scalar(token);
      if (clean !== token) {
        done += value.slice(kept, at) + clean;
        kept = end;
      }
      at = end;
    }
    return done + value.slice(kept);
  }

  #string(token: string): string {
    let plain: unknown = token.slice(1, -1);
    try {
      if (token.includes('\\')) plain = JSON.parse(token);
    } catch {
      // An escape that JSON does not have: the text is no JSON, and is treated as what it is.
      return this.text(token);
    }
    const clean = this.text(String(plain));
    return clean === plain ? token : JSON.stringify(clean);
  }

  /** A number (or any other bare word) that is a secret becomes a string: a hole would leave no JSON. */
  #scalar(token: string): string {
    const clean = this.text(token);
    return clean === token ? token : JSON.stringify(clean);
  }
}

function replace(value: string, spans: readonly Span[]): string {
  let clean = '';
  let from = 0;
  for (const { start, end } of spans) {
    clean += value.slice(from, start) + redactedMark;
    from = end;
  }
  return clean + value.slice(from);
}

const unfinished = -1;
const quote = 0x22;
const backslash = 0x5c;
const isPunctuation = (unit: number): boolean =>
  unit <= 0x20 || unit === 0x2c || unit === 0x3a || unit === 0x5b || unit === 0x5d || unit === 0x7b || unit === 0x7d;

/** Where the string, bare word or punctuation mark that begins here ends; a string without its end is unfinished. */
function tokenEnd(json: string, start: number): number {
  const first = json.charCodeAt(start);
  let at = start + 1;
  if (isPunctuation(first)) return at;
  if (first !== quote) {
    while (at < json.length && json.charCodeAt(at) !== quote && !isPunctuation(json.charCodeAt(at))) at += 1;
    return at;
  }
  while (at < json.length) {
    const unit = json.charCodeAt(at);
    if (unit === quote) return at + 1;
    at += unit === backslash ? 2 : 1;
  }
  return unfinished;
}
