// What the peer of a connection gets of a command: a text as it is, anything else as JSON.

/** `json`: the body of the command. */
export function commandText(json: string): string {
  const body: unknown = json.startsWith('"') ? JSON.parse(json) : undefined;
  return typeof body === 'string' ? body : json;
}
