// Parses YAML that the operator wrote, down to plain JSON data: no tags, no circles, no document that unfolds to more
// than it says. The parser is loaded only where a YAML file is there.
import type { CST } from 'yaml';
import { type ParsedText, maxDepth, nestsTooDeep, tooDeep } from '../files/json-text.ts';

const maxAliasCount = 100;

const refused = (message: string): ParsedText => ({ ok: false, issue: { path: '', message } });

export async function parseYamlText(text: string): Promise<ParsedText> {
  const { Parser, parseDocument } = await import('yaml');
  // Composing a document calls itself once a level, and V8 can abort the whole process at the end of its stack: the
  // depth is measured on the tokens, whose parser does not.
  if (depthOf(new Parser().parse(text)) > maxDepth) return { ok: false, issue: tooDeep };
  const document = parseDocument(text, { logLevel: 'error' });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) {
    const [start] = fault.linePos ?? [];
    const what =
      fault.code === 'MULTIPLE_DOCS'
        ? 'a second document begins here; keep one'
        : (fault.message.split(' at line ')[0] ?? fault.message);
    return refused(`${start === undefined ? '' : `${String(start.line)}:${String(start.col)}: `}${what}`);
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount });
    // What is empty, or commented out altogether, says nothing: everything keeps its default.
    const json = JSON.stringify(value ?? {});
    return nestsTooDeep(json) ? { ok: false, issue: tooDeep } : { ok: true, value: JSON.parse(json) as unknown };
  } catch {
    // Too many aliases, or one that holds itself: neither has a form in JSON.
    return refused('its aliases unfold without end or to too much; write the values out');
  }
}

function depthOf(tokens: Iterable<CST.Token>): number {
  let deepest = 0;
  const open = [...tokens].map((token): [CST.Token, number] => [token, 0]);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [token, depth] = next;
    deepest = Math.max(deepest, depth);
    if ('value' in token && token.value !== undefined) open.push([token.value, depth]);
    for (const { key, value } of 'items' in token ? token.items : []) {
      if (key) open.push([key, depth + 1]);
      if (value) open.push([value, depth + 1]);
    }
  }
  return deepest;
}
