// Calls that say nothing but which tool they are of and with what, which is how agents call. Clients of the older
// protocol have them read and answered without the SDK, by the MCP thread and by `nagaya mcp`: the SDK reads each
// message and each answer with several schemas, which costs more than all the rest of such a call. Whatever is not that
// plain is the SDK's.
import { type Fields, isFields } from '../fields.ts';
import type { Refusal } from './messages.ts';
import { isContent, refusedResult, toolResult } from './tool-result.ts';

/** What has to be known of a tool whose calls are plain. */
export interface PlainTool {
  readonly plugin: string;
  readonly tool: string;
  /** A member of the arguments is its input. */
  readonly wrapped: boolean;
  /** It has an output schema. */
  readonly declared: boolean;
  /** It answers in MCP's own form. */
  readonly hosted: boolean;
}

export interface PlainCall<Tool extends PlainTool = PlainTool> {
  readonly id: string | number;
  readonly tool: Tool;
  readonly args: Fields | undefined;
}

const invalidParamsNumber = -32602;
/** The member of the arguments that is the input of a tool which wants no object. */
export const wrapper = 'input';

/** Undefined where the SDK is to read it. `toolOf`: nothing for a tool whose calls are not plain. */
export function plainCallOf<Tool extends PlainTool>(
  message: unknown,
  toolOf: (name: string) => Tool | undefined,
): PlainCall<Tool> | undefined {
  if (!isFields(message) || message['method'] !== 'tools/call' || message['jsonrpc'] !== '2.0') return undefined;
  const { id, params } = message;
  if ((typeof id !== 'string' && !Number.isSafeInteger(id)) || Object.keys(message).length !== 4) return undefined;
  if (!isFields(params)) return undefined;
  const { name, arguments: args } = params;
  if (typeof name !== 'string' || (args !== undefined && !isFields(args))) return undefined;
  // More than these, such as a token for progress.
  if (Object.keys(params).length !== ('arguments' in params ? 2 : 1)) return undefined;
  const tool = toolOf(name);
  return tool === undefined ? undefined : { id: id as string | number, tool, args };
}

export const inputOf = ({ wrapped }: Pick<PlainTool, 'wrapped'>, args: Readonly<Fields> | undefined): unknown =>
  wrapped ? args?.[wrapper] : (args ?? {});

/** The whole answer as JSON. `outputJson`: as the tool gave it. */
export const plainAnswer = ({ id, tool }: PlainCall, outputJson: string): string =>
  answered(id, answerOf(tool, outputJson));

export const plainRefusal = ({ id }: Pick<PlainCall, 'id'>, refusal: Refusal): string =>
  answered(id, resultMember(refusedResult(refusal)));

const answered = (id: string | number, member: string): string =>
  `{"jsonrpc":"2.0","id":${JSON.stringify(id)},${member}}`;

function answerOf({ hosted, declared }: PlainTool, outputJson: string): string {
  if (!hosted) return quickAnswer(outputJson, declared) ?? resultMember(toolResult(outputJson, declared));
  // As the server gave it.
  const result = JSON.parse(outputJson) as unknown;
  return isPlainResult(result) ? `"result":${outputJson}` : resultMember(result);
}

/** What needs no look at what is in it: all that is no object, and an object that says nothing of `content`. */
function quickAnswer(json: string, declared: boolean): string | undefined {
  const isObject = json.startsWith('{');
  if (isObject ? json.includes('content') : declared) return undefined;
  const text = json.startsWith('"') ? json : JSON.stringify(json);
  return `"result":{"content":[{"type":"text","text":${text}}]${isObject ? `,"structuredContent":${json}` : ''}}`;
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
