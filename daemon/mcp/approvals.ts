// What was approved of each tool, where `mcp.pin` is on: a tool whose words or schemas are not as they were approved is
// held back, because a description is what makes a model call it. A tool that is seen for the first time is approved.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { writeAtomically } from '../files/atomic-file.ts';
import { readBoundedText } from '../files/bounded-file.ts';
import type { OfferedTool } from '../../protocol/mcp/messages.ts';
import type { McpTool } from '../../protocol/operations/mcp.ts';

const parts = ['title', 'description', 'inputSchema', 'outputSchema', 'annotations'] as const;
export type ToolPart = McpTool['changed'][number];

type Approved = Readonly<Record<ToolPart, string>>;

/** Of tools that are gone as well: beyond it the oldest goes. */
const maxTools = 20_000;
const maxFileBytes = 16 * 1024 * 1024;

export interface ApprovalsOptions {
  readonly stateFolder: string;
  trouble(message: string): void;
}

export class Approvals {
  readonly #path: string;
  readonly #trouble: (message: string) => void;
  readonly #approved: Map<string, Approved>;
  #writing: Promise<void> | undefined;
  #stale = false;

  constructor({ stateFolder, trouble }: ApprovalsOptions) {
    this.#path = join(stateFolder, 'mcp', 'approved.json');
    this.#trouble = trouble;
    this.#approved = this.#read();
  }

  /** What is not as it was approved; a tool that was never seen is approved by this. */
  changesOf(tool: OfferedTool): ToolPart[] {
    const known = this.#approved.get(keyOf(tool));
    if (known === undefined) {
      this.approve([tool]);
      return [];
    }
    const now = digestOf(tool);
    return parts.filter((part) => known[part] !== now[part]);
  }

  approve(tools: readonly OfferedTool[]): void {
    for (const tool of tools) {
      this.#approved.delete(keyOf(tool));
      this.#approved.set(keyOf(tool), digestOf(tool));
    }
    for (const key of this.#approved.keys()) {
      if (this.#approved.size <= maxTools) break;
      this.#approved.delete(key);
    }
    this.#stale = true;
    this.#writing ??= this.#write();
  }

  /** Resolves when what was approved is on disk, or cannot be. */
  async written(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    // What is approved in the same turn is written once.
    await Promise.resolve();
    while (this.#stale) {
      this.#stale = false;
      try {
        await writeAtomically(this.#path, [JSON.stringify(Object.fromEntries(this.#approved))]);
      } catch (error) {
        this.#trouble(
          `what was approved of MCP tools cannot be kept: ${error instanceof Error ? error.message : 'unknown'}`,
        );
      }
    }
    this.#writing = undefined;
  }

  #read(): Map<string, Approved> {
    const file = readBoundedText(this.#path, { maxBytes: maxFileBytes });
    if (!file.ok) {
      if (!file.missing)
        this.#trouble(`${this.#path} ${file.message}; every MCP tool counts as seen for the first time`);
      return new Map();
    }
    try {
      const entries = Object.entries(JSON.parse(file.text) as Record<string, unknown>);
      return new Map(entries.filter((entry): entry is [string, Approved] => isApproved(entry[1])));
    } catch {
      this.#trouble(`${this.#path} is not JSON; every MCP tool counts as seen for the first time`);
      return new Map();
    }
  }
}

const keyOf = ({ plugin, tool }: OfferedTool): string => `${plugin}/${tool}`;

function digestOf(tool: OfferedTool): Approved {
  const digest = (value: unknown): string =>
    createHash('sha256')
      .update(JSON.stringify(value ?? null))
      .digest('hex')
      .slice(0, 32);
  return {
    title: digest(tool.title),
    description: digest(tool.description),
    inputSchema: digest(tool.inputSchema),
    outputSchema: digest(tool.outputSchema),
    annotations: digest(tool.annotations),
  };
}

const isApproved = (value: unknown): value is Approved =>
  typeof value === 'object' && value !== null && parts.every((part) => typeof Reflect.get(value, part) === 'string');
