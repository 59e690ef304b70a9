// A question to a remote daemon as HTTP: by the path of its operation.

/** The parameters in their places: in the path, then in the query of a GET or the body of a POST. */
export function requestOf(
  { method, path }: { readonly method: string; readonly path: string },
  params: Readonly<Record<string, unknown>>,
): { path: string; body?: string } {
  const rest = Object.entries(params).filter(([name, value]) => value !== undefined && !path.includes(`{${name}}`));
  const filled = path.replace(/\{(\w+)\}/g, (_whole, name: string) => encodeURIComponent(String(params[name])));
  if (method === 'POST') return { path: filled, body: JSON.stringify(Object.fromEntries(rest)) };
  const query = new URLSearchParams(rest.map(([name, value]): [string, string] => [name, String(value)])).toString();
  return { path: query === '' ? filled : `${filled}?${query}` };
}
