// What `nagaya mcp` has to know in order to make plain calls itself: the tools by their names for MCP, and the bounds.
import type { PlainTool } from './plain-calls.ts';

export interface PlainOffer {
  readonly lingerMs: number;
  readonly pendingCalls: number;
  readonly nesting: number;
  readonly tools: readonly (PlainTool & { readonly name: string })[];
}
