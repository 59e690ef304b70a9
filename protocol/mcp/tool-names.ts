// The names under which plugins' tools are known to MCP clients: `<plugin>__<tool>` of A-Z a-z 0-9 _ -, at most 64
// characters. A name depends only on what it names and on which tools share it, so that it is the same in every daemon.
import { createHash } from 'node:crypto';

const maxLength = 64;
const suffixLength = 8;

export interface NamedTool {
  readonly plugin: string;
  readonly tool: string;
}

/** The name where no other tool has the same. */
export function plainToolName({ plugin, tool }: NamedTool): string {
  const name = `${safe(plugin)}__${safe(tool)}`;
  return name.length <= maxLength ? name : suffixed(name, { plugin, tool });
}

/** In the order of the tools. Tools that would share a name all get a suffix made of what they are. */
export function toolNames(tools: readonly NamedTool[]): string[] {
  const plain = tools.map(plainToolName);
  const count = new Map<string, number>();
  for (const name of plain) count.set(name, (count.get(name) ?? 0) + 1);
  return tools.map((tool, at) => {
    const name = plain[at] ?? '';
    return count.get(name) === 1 ? name : suffixed(`${safe(tool.plugin)}__${safe(tool.tool)}`, tool);
  });
}

const safe = (text: string): string => text.replaceAll(/[^A-Za-z0-9_-]/g, '_');

function suffixed(name: string, { plugin, tool }: NamedTool): string {
  const hash = createHash('sha256').update(`${plugin}\0${tool}`).digest('hex').slice(0, suffixLength);
  return `${name.slice(0, maxLength - suffixLength - 1)}_${hash}`;
}
