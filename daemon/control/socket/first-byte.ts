// The languages on one socket, told apart by the first byte that is not white space: a bracket opens JSON-RPC, a letter
// HTTP, and an exclamation mark the line behind which an MCP client's frames come. Everything else is a mistake, and
// answered as one.

export type Language = 'rpc' | 'http' | 'mcp' | 'unknown';

const space = new Set([0x20, 0x09, 0x0a, 0x0d]);
const openBrace = 0x7b;
const openBracket = 0x5b;
const exclamationMark = 0x21;

/** Undefined while nothing but white space has come. */
export function languageOf(bytes: Uint8Array): Language | undefined {
  for (const byte of bytes) {
    if (space.has(byte)) continue;
    if (byte === openBrace || byte === openBracket) return 'rpc';
    if (byte === exclamationMark) return 'mcp';
    const letter = byte | 0x20;
    return letter >= 0x61 && letter <= 0x7a ? 'http' : 'unknown';
  }
  return undefined;
}
