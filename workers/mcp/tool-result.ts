// A tool's answer as MCP has it: text beside structured output, content of MCP's own passed through, and refusals as
// results with the registry's code, which a model can read and act on.
import type { CallToolResult } from '@modelcontextprotocol/server';
import type { Refusal } from '../../protocol/mcp/messages.ts';

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';

/** Whether a tool has answered in MCP's own form. */
export function isContent(value: unknown): boolean {
  if (!isObject(value)) return false;
  switch (value['type']) {
    case 'text':
      return isText(value['text']);
    case 'image':
    case 'audio':
      return isText(value['data']) && isText(value['mimeType']);
    case 'resource_link':
      return isText(value['uri']) && isText(value['name']);
    case 'resource': {
      const { resource } = value;
      return isObject(resource) && isText(resource['uri']) && (isText(resource['text']) || isText(resource['blob']));
    }
    default:
      return false;
  }
}

const isOwnForm = (output: unknown): output is { content: unknown[] } & Record<string, unknown> =>
  isObject(output) &&
  Array.isArray(output['content']) &&
  output['content'].length > 0 &&
  output['content'].every(isContent);

/** The answer of a hosted server's tool, as the server gave it. */
export const hostedResult = (outputJson: string): CallToolResult => JSON.parse(outputJson) as CallToolResult;

/** `declared`: the tool has an output schema, so that clients expect structured output whatever its type. */
export function toolResult(outputJson: string, declared: boolean): CallToolResult {
  const output: unknown = JSON.parse(outputJson);
  if (isOwnForm(output)) {
    const { content, structuredContent, isError, _meta } = output;
    // Each item was looked at above.
    return {
      content,
      ...(isObject(structuredContent) ? { structuredContent } : {}),
      ...(typeof isError === 'boolean' ? { isError } : {}),
      ...(isObject(_meta) ? { _meta } : {}),
    } as CallToolResult;
  }
  const text = typeof output === 'string' ? output : outputJson;
  return { content: [{ type: 'text', text }], ...(declared || isObject(output) ? { structuredContent: output } : {}) };
}

export function refusedResult({ code, message, retryable, remedy, issues = [], result }: Refusal): CallToolResult {
  if (result !== undefined) return result as CallToolResult;
  const text = [message, ...issues.map((issue) => `- ${issue}`), '', `Error code: ${code}. ${remedy}`].join('\n');
  return {
    isError: true,
    content: [{ type: 'text', text }],
    _meta: { 'nagaya/error': { code, message, retryable, remedy } },
  };
}
