// The whole list of a hosted server's tools, page by page and within bounds.
import type { Fields } from '../../../protocol/fields.ts';
import { listedTool } from './listed-tools.ts';
import type { RequestOutcome } from './server-requests.ts';
import type { ServerTool } from '../../../protocol/mcp/messages.ts';

const maxPages = 100;
const maxTools = 1000;
const maxListBytes = 4 * 1024 * 1024;

/** Answers in words what is wrong with it, where it cannot be used. */
export async function listTools(
  request: (method: string, params: Fields) => Promise<RequestOutcome>,
): Promise<ServerTool[] | string> {
  const tools = new Map<string, ServerTool>();
  let cursor: string | undefined;
  let bytes = 0;
  for (let page = 0; page < maxPages; page += 1) {
    const outcome = await request('tools/list', cursor === undefined ? {} : { cursor });
    if (!outcome.ok) return `the server did not list its tools: ${outcome.message}`;
    const { tools: listed, nextCursor } = outcome.result;
    if (!Array.isArray(listed)) return 'the server answered tools/list without a list of tools';
    bytes += JSON.stringify(listed).length;
    for (const value of listed) {
      const tool = listedTool(value);
      if (tool === undefined) return 'the server lists a tool without a usable name';
      tools.set(tool.name, tool);
    }
    if (tools.size > maxTools || bytes > maxListBytes)
      return `the server lists more than ${String(maxTools)} tools or ${String(maxListBytes)} bytes of them`;
    if (!isCursor(nextCursor) || nextCursor === cursor) return [...tools.values()];
    cursor = nextCursor;
  }
  return `the list of the server's tools has more than ${String(maxPages)} pages`;
}

const isCursor = (value: unknown): value is string => typeof value === 'string';
