// How a tool of a hosted server is called. The host writes the call to a server that is a process of its own, so that
// nobody else has to be woken for it; to a server that is reached over HTTP, the MCP thread does.

/** Requests of the host and of the MCP thread go to the same server: the host's have odd ids, and the thread's even. */
export const hostsId = (call: number): number => 2 * call + 1;
export const threadsFirstId = 2;
export const idStep = 2;

/** `inputJson` holds no newline. */
export const callLine = (id: number, tool: string, inputJson: string): string =>
  `{"jsonrpc":"2.0","id":${String(id)},"method":"tools/call","params":${callParams(id, tool, inputJson)}}\n`;

export const callParams = (id: number, tool: string, inputJson: string): string =>
  `{"name":${JSON.stringify(tool)},"arguments":${inputJson},"_meta":{"progressToken":${String(id)}}}`;
