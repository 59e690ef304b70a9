// The first lines of connections to the control socket that `nagaya mcp` makes.

/** An MCP client's frames come behind it. */
export const mcpHead = '!mcp';

/**
 * The same, and whoever sends it makes plain calls itself: what it has to know for that comes between the frames, in a
 * line that begins with `plainOfferMark`.
 */
export const mcpPlainHead = '!mcp plain';

/** Behind it come the plain calls of an MCP client, as JSON-RPC. */
export const mcpCallsHead = '!mcp calls';

/** No frame begins like this. */
export const plainOfferMark = '!plain ';
