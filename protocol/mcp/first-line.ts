// The first line of a connection to the control socket behind which an MCP client's frames come.
export const mcpHead = '!mcp';
