// A client's plain call as `nagaya mcp` passes it on. The SDK always writes one in the same way: then its arguments are
// looked at only to see that they are JSON, and go on as the text they are.
import { type PlainCall, type PlainTool, inputOf, plainCallOf } from '../../protocol/mcp/plain-calls.ts';

export interface TextCall {
  readonly call: PlainCall;
  readonly inputJson: string;
}

type ToolOf = (name: string) => PlainTool | undefined;

const head = '{"method":"tools/call","params":{"name":"';
const middle = '","arguments":';
const tail = '},"jsonrpc":"2.0","id":';
const wholeNumber = /^(?:0|[1-9]\d{0,14})\}$/;

/** Undefined where it is for the MCP thread. */
export function textCallOf(text: string, toolOf: ToolOf): TextCall | undefined {
  const quick = usualCallOf(text, toolOf);
  if (quick !== undefined) return quick;
  const call = plainCallOf(parsed(text), toolOf);
  return call === undefined ? undefined : { call, inputJson: JSON.stringify(inputOf(call.tool, call.args)) ?? 'null' };
}

function usualCallOf(text: string, toolOf: ToolOf): TextCall | undefined {
  if (!text.startsWith(head)) return undefined;
  const nameEnd = text.indexOf('"', head.length);
  const from = nameEnd + middle.length;
  const end = text.lastIndexOf(tail);
  if (nameEnd === -1 || !text.startsWith(middle, nameEnd) || text[from] !== '{' || end <= from) return undefined;
  const tool = toolOf(text.slice(head.length, nameEnd));
  if (tool === undefined || tool.wrapped) return undefined;
  const id = text.slice(end + tail.length);
  const inputJson = text.slice(from, end);
  // What is JSON by itself cannot say anything of the call around it.
  if (!wholeNumber.test(id) || parsed(inputJson) === undefined) return undefined;
  return { call: { id: parseInt(id, 10), tool, args: undefined }, inputJson };
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
