// An error as an MCP client may see it: of the details only what is wrong with the input, because others may hold
// stacks and paths.
import { type Issue, type WireError, errorKinds, issueText } from '../errors.ts';
import type { Refusal } from './messages.ts';

const maxIssues = 20;

export function refusalOf({ code, message, retryable, details }: WireError): Refusal {
  const issues =
    code === 'tool_input_invalid' && Array.isArray(details['issues']) ? (details['issues'] as Issue[]) : [];
  return {
    code,
    message,
    retryable,
    remedy: errorKinds[code].remedy.replaceAll('`', ''),
    ...('mcpResult' in details ? { result: details['mcpResult'] } : {}),
    ...(issues.length > 1 ? { issues: issues.slice(0, maxIssues).map(issueText) } : {}),
  };
}
