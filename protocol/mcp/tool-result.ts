// A tool's answer as MCP has it: text beside structured output, content of MCP's own passed through, and refusals as
// results with the registry's code, which a model can read and act on.
import { type Fields, isFields } from '../fields.ts';
import type { Refusal } from './messages.ts';

const isText = (value: unknown): value is string => typeof value === 'string';

/** Whether a tool has answered in MCP's own form. */
export function isContent(value: unknown): boolean {
  if (!isFields(value)) return false;
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
      return isFields(resource) && isText(resource['uri']) && (isText(resource['text']) || isText(resource['blob']));
    }
    default:
      return false;
  }
}

const isOwnForm = (output: unknown): output is { content: unknown[] } & Fields =>
  isFields(output) &&
  Array.isArray(output['content']) &&
  output['content'].length > 0 &&
  output['content'].every(isContent);

/** `declared`: the tool has an output schema, so that clients expect structured output whatever its type. */
export function toolResult(outputJson: string, declared: boolean): Fields {
  const output: unknown = JSON.parse(outputJson);
  if (isOwnForm(output)) {
    const { content, structuredContent, isError, _meta } = output;
    return {
      content,
      ...(isFields(structuredContent) ? { structuredContent } : {}),
      ...(typeof isError === 'boolean' ? { isError } : {}),
      ...(isFields(_meta) ? { _meta } : {}),
    };
  }
  const text = typeof output === 'string' ? output : outputJson;
  return { content: [{ type: 'text', text }], ...(declared || isFields(output) ? { structuredContent: output } : {}) };
}

export function refusedResult({ code, message, retryable, remedy, issues = [], result }: Refusal): Fields {
  if (result !== undefined) return result as Fields;
  const text = [message, ...issues.map((issue) => `- ${issue}`), '', `Error code: ${code}. ${remedy}`].join('\n');
  return {
    isError: true,
    content: [{ type: 'text', text }],
    _meta: { 'nagaya/error': { code, message, retryable, remedy } },
  };
}
