// Calls that say nothing but which tool they are of and with what, which is how agents call: of clients of the older
// protocol they are read and answered here. The SDK reads each message and each answer with several schemas, which
// costs more than all the rest of such a call. Whatever is not that plain is the SDK's, and so is every refusal.
import type { HostCalls } from './host-calls.ts';
import { type Fields, isFields } from './hosted/listed-tools.ts';
import { type ListedTool, type Offer, inputOf } from './offer.ts';
import { isContent, refusedResult, toolResult } from './tool-result.ts';

export interface PlainCall {
  readonly id: string | number;
  readonly tool: ListedTool;
  readonly args: Fields | undefined;
}

export interface PlainCallParts {
  readonly offer: Offer;
  readonly calls: HostCalls;
}

const invalidParamsNumber = -32602;

/** Undefined where the SDK is to read it. */
export function plainCallOf(message: unknown, offer: Offer): PlainCall | undefined {
  if (!isFields(message) || message['method'] !== 'tools/call' || message['jsonrpc'] !== '2.0') return undefined;
  const { id, params } = message;
  if ((typeof id !== 'string' && !Number.isSafeInteger(id)) || Object.keys(message).length !== 4) return undefined;
  if (!isFields(params)) return undefined;
  const { name, arguments: args } = params;
  if (typeof name !== 'string' || (args !== undefined && !isFields(args))) return undefined;
  // More than these, such as a token for progress.
  if (Object.keys(params).length !== ('arguments' in params ? 2 : 1)) return undefined;
  const tool = offer.find(name);
  return tool?.plain === true ? { id: id as string | number, tool, args } : undefined;
}

/**
 * `answered` is given the whole answer as JSON, or nothing where the call was withdrawn, which is what calling the
 * returned function does.
 */
export function beginPlainCall(
  { id, tool, args }: PlainCall,
  calls: HostCalls,
  answered: (json: string | undefined) => void,
): (reason: unknown) => void {
  const wanted = { plugin: tool.plugin, tool: tool.tool, input: inputOf(tool, args), progressed: undefined };
  return calls.begin(wanted, (outcome) => {
    if (!outcome.ok && outcome.refusal === undefined) return answered(undefined);
    const member = outcome.ok ? answerOf(tool, outcome.json) : resultMember(refusedResult(outcome.refusal));
    answered(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},${member}}`);
  });
}

function answerOf(tool: ListedTool, outputJson: string): string {
  if (!tool.hosted) return resultMember(toolResult(outputJson, tool.outputSchema !== undefined));
  // As the server gave it.
  const result = JSON.parse(outputJson) as unknown;
  return isPlainResult(result) ? `"result":${outputJson}` : resultMember(result);
}

function resultMember(result: unknown): string {
  if (isPlainResult(result)) return `"result":${JSON.stringify(result)}`;
  if (isFields(result) && result['content'] === undefined && isFields(result['structuredContent']))
    return resultMember({ ...result, content: [] });
  const message = 'Invalid tools/call result: the tool answered with something that MCP has no form for';
  return `"error":${JSON.stringify({ code: invalidParamsNumber, message })}`;
}

/** As clients of the older protocol want it. */
function isPlainResult(result: unknown): boolean {
  if (!isFields(result) || !Array.isArray(result['content'])) return false;
  const { content, structuredContent, isError, _meta } = result;
  return (
    content.every(isContent) &&
    (structuredContent === undefined || isFields(structuredContent)) &&
    (isError === undefined || typeof isError === 'boolean') &&
    (_meta === undefined || isFields(_meta))
  );
}
