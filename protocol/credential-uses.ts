// Which credentials a plugin's manifest names, and where each goes: so that whoever loads a plugin sees what it can
// have sent to whom, before anything is sent.
import type { Manifest } from './manifest.ts';
import type { CredentialName, Source } from './sources.ts';
import type { Output } from './outputs.ts';

export interface CredentialUse {
  /** The name of the variable; null for a file of the operator's, whose path is not told. */
  readonly variable: string | null;
  readonly usedBy: string;
  /** Host and port; null where it goes nowhere, because it only verifies what comes. */
  readonly goesTo: string | null;
}

export const credentialUses = ({ service, mcp }: Pick<Manifest, 'service' | 'mcp'>): CredentialUse[] => [
  ...(service?.sources ?? []).flatMap(ofSource),
  ...(service?.outputs ?? []).flatMap(ofOutput),
  ...(mcp?.url !== undefined && mcp.auth !== undefined
    ? [use(mcp.auth.env, 'the MCP server', new URL(mcp.url).host)]
    : []),
];

/** In words, for people. */
export const credentialText = ({ variable, usedBy, goesTo }: CredentialUse): string =>
  `${variable ?? 'a credential file'} ${goesTo === null ? 'verifies what comes' : `goes to ${goesTo}`} (${usedBy})`;

const use = (name: CredentialName, usedBy: string, goesTo: string | null): CredentialUse => ({
  variable: typeof name === 'string' ? name : null,
  usedBy,
  goesTo,
});

function ofSource(source: Source): CredentialUse[] {
  const by = `source ${source.name}`;
  if (source.type === 'webhook')
    return source.verify.scheme === 'none' ? [] : source.verify.secretEnv.map((name) => use(name, by, null));
  if (!('auth' in source) || source.auth === undefined) return [];
  return [use(source.auth.env, by, new URL(source.url).host)];
}

function ofOutput(output: Output): CredentialUse[] {
  if (!('auth' in output) || output.auth === undefined) return [];
  return [use(output.auth.env, `output ${output.name}`, new URL(output.url).host)];
}
