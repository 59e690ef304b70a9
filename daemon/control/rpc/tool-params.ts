// The parameters of `tool.call`. The input stays the text it is: the host would only take it apart to write it again.
import { longestMs } from '../../../protocol/durations.ts';
import { nameForm, openIdForm, pluginIdForm } from '../../../protocol/identifiers.ts';
import { EncodedJson } from '../../../protocol/json-rpc.ts';
import { type JsonCursor, keyOf } from './json-cursor.ts';
import { KnownForm } from './known-form.ts';

/** Checked as they were read. */
export class ToolParams {
  readonly plugin: string;
  readonly tool: string;
  readonly input: EncodedJson | undefined;
  readonly timeoutMs: number | undefined;
  readonly callId: string | undefined;
  /** Whoever asks for it is read by the parser. */
  readonly progress: undefined;

  constructor(plugin: string, tool: string, { input, timeoutMs, callId }: Parts) {
    this.plugin = plugin;
    this.tool = tool;
    this.input = input === undefined ? undefined : new EncodedJson(input);
    this.timeoutMs = timeoutMs;
    this.callId = callId;
  }
}

interface Parts {
  plugin: string | undefined;
  tool: string | undefined;
  input: string | undefined;
  timeoutMs: number | undefined;
  callId: string | undefined;
}

const keys = {
  plugin: keyOf('plugin'),
  tool: keyOf('tool'),
  input: keyOf('input'),
  timeoutMs: keyOf('timeoutMs'),
  callId: keyOf('callId'),
} as const;

/** Message and parameters stand around an input. */
const levelsAround = 2;

export class ToolParamsReader {
  readonly #cursor: JsonCursor;
  readonly #plugins = new KnownForm(pluginIdForm);
  readonly #tools = new KnownForm(nameForm);

  constructor(cursor: JsonCursor) {
    this.#cursor = cursor;
  }

  read(): ToolParams | undefined {
    const parts: Parts = {
      plugin: undefined,
      tool: undefined,
      input: undefined,
      timeoutMs: undefined,
      callId: undefined,
    };
    if (!this.#cursor.opensObject()) return undefined;
    do {
      if (!this.#member(parts)) return undefined;
    } while (this.#cursor.nextMember());
    const { plugin, tool } = parts;
    return plugin === undefined || tool === undefined ? undefined : new ToolParams(plugin, tool, parts);
  }

  /** False: it is not for this reader. No member may come twice. */
  #member(parts: Parts): boolean {
    const cursor = this.#cursor;
    if (parts.plugin === undefined && cursor.key(keys.plugin))
      return (parts.plugin = cursor.textOf(this.#plugins)) !== undefined;
    if (parts.tool === undefined && cursor.key(keys.tool))
      return (parts.tool = cursor.textOf(this.#tools)) !== undefined;
    if (parts.input === undefined && cursor.key(keys.input))
      return (parts.input = cursor.json(levelsAround)) !== undefined;
    if (parts.timeoutMs === undefined && cursor.key(keys.timeoutMs))
      return (parts.timeoutMs = cursor.count(1, longestMs)) !== undefined;
    if (parts.callId !== undefined || !cursor.key(keys.callId)) return false;
    parts.callId = cursor.ownText();
    return parts.callId !== undefined && openIdForm.test(parts.callId);
  }
}
