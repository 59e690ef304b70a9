// Plain calls, as the MCP thread begins them: asked of the host, and answered as JSON.
import { type PlainCall, inputOf, plainAnswer, plainRefusal } from '../../protocol/mcp/plain-calls.ts';
import type { HostCalls } from './host-calls.ts';
import type { Offer } from './offer.ts';

export interface PlainCallParts {
  readonly offer: Offer;
  readonly calls: HostCalls;
}

/**
 * `answered` is given the whole answer as JSON, or nothing where the call was withdrawn, which is what calling the
 * returned function does.
 */
export function beginPlainCall(
  call: PlainCall,
  calls: HostCalls,
  answered: (json: string | undefined) => void,
): (reason: unknown) => void {
  const { tool, args } = call;
  const wanted = { plugin: tool.plugin, tool: tool.tool, input: inputOf(tool, args), progressed: undefined };
  return calls.begin(wanted, (outcome) => {
    if (outcome.ok) answered(plainAnswer(call, outcome.json));
    else answered(outcome.refusal === undefined ? undefined : plainRefusal(call, outcome.refusal));
  });
}
