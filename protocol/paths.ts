// A path into a value, as people write it: items[0].name.

export function pathText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${String(step)}]`;
    else text += text === '' ? String(step) : `.${String(step)}`;
  }
  return text;
}
