// The tools that clients are offered, as the MCP thread keeps them: listed by name in pages, with the schemas that MCP
// wants: an input is always an object there.
import type { Tool } from '@modelcontextprotocol/server';
import { type Fields, isFields } from '../../protocol/fields.ts';
import { type OfferedTool, workerToolsOwner } from '../../protocol/mcp/messages.ts';
import { type PlainTool, wrapper } from '../../protocol/mcp/plain-calls.ts';
import type { PlainOffer } from '../../protocol/mcp/plain-offer.ts';

export interface ListedTool extends PlainTool {
  readonly listing: Tool;
  /** Undefined where the tool declares none. */
  readonly outputSchema: Fields | undefined;
  /** What it answers needs no change for clients of the older protocol, which know objects alone. */
  readonly plain: boolean;
}

export class Offer {
  #byName = new Map<string, ListedTool>();
  #names: string[] = [];

  replace(tools: readonly OfferedTool[]): void {
    this.#byName = new Map(tools.map((tool) => [tool.name, listed(tool)]));
    this.#names = [...this.#byName.keys()].sort();
  }

  find(name: string): ListedTool | undefined {
    return this.#byName.get(name);
  }

  /** Whose calls may be plain. */
  readonly plain = (name: string): ListedTool | undefined => {
    const tool = this.#byName.get(name);
    return tool?.plain === true ? tool : undefined;
  };

  /** For `nagaya mcp`, which calls them with `tool.call`; that knows no tools but those of plugins. */
  plainTools(): PlainOffer['tools'] {
    return [...this.#byName].flatMap(([name, { plugin, tool, wrapped, declared, hosted, plain }]) =>
      plain && plugin !== workerToolsOwner ? [{ name, plugin, tool, wrapped, declared, hosted }] : [],
    );
  }

  /** The names after the cursor, which need not be one of them any more: pages stay right while tools come and go. */
  page(cursor: string | undefined, size: number): { readonly tools: Tool[]; readonly nextCursor?: string } | undefined {
    const after = cursor === undefined ? '' : readCursor(cursor);
    if (after === undefined) return undefined;
    const names = this.#names.filter((name) => name > after);
    const shown = names.slice(0, size);
    const last = shown.at(-1);
    return {
      tools: shown.flatMap((name) => this.#byName.get(name)?.listing ?? []),
      ...(names.length > size && last !== undefined ? { nextCursor: Buffer.from(last).toString('base64url') } : {}),
    };
  }
}

/** Undefined where it is none of ours. */
function readCursor(cursor: string): string | undefined {
  const name = Buffer.from(cursor, 'base64url').toString();
  return /^[A-Za-z0-9_-]{1,64}$/.test(name) && Buffer.from(name).toString('base64url') === cursor ? name : undefined;
}

function listed({
  name,
  plugin,
  tool,
  title,
  description,
  inputSchema,
  outputSchema,
  annotations,
  hosted,
}: OfferedTool): ListedTool {
  const input = inputSchemaOf(inputSchema);
  const output = isFields(outputSchema) && Object.keys(outputSchema).length > 0 ? outputSchema : undefined;
  const hints = annotations === undefined ? {} : hintsOf(annotations);
  return {
    plugin,
    tool,
    wrapped: input.wrapped,
    outputSchema: output,
    declared: output !== undefined,
    hosted: hosted === true,
    plain: output === undefined || output['type'] === 'object',
    // Passed on as the plugin wrote them: nobody here compiles a schema.
    listing: {
      name,
      ...(title === undefined ? {} : { title }),
      description,
      inputSchema: input.schema,
      ...(output === undefined ? {} : { outputSchema: output }),
      ...(Object.keys(hints).length === 0 ? {} : { annotations: hints }),
    } as Tool,
  };
}

/** MCP's arguments are an object; a tool that wants something else gets it as a member. */
function inputSchemaOf(schema: unknown): { readonly schema: Fields; readonly wrapped: boolean } {
  if (!isFields(schema)) return schema === false ? wrap(schema) : { schema: { type: 'object' }, wrapped: false };
  const { type } = schema;
  if (type === 'object') return { schema, wrapped: false };
  if (type === undefined || (Array.isArray(type) && type.includes('object')))
    return { schema: { ...schema, type: 'object' }, wrapped: false };
  return wrap(schema);
}

const wrap = (schema: Fields | false): { readonly schema: Fields; readonly wrapped: boolean } => ({
  schema: { type: 'object', properties: { [wrapper]: schema }, required: [wrapper] },
  wrapped: true,
});

function hintsOf({ readOnly, destructive, idempotent, openWorld }: NonNullable<OfferedTool['annotations']>): object {
  return {
    ...(readOnly === undefined ? {} : { readOnlyHint: readOnly }),
    ...(destructive === undefined ? {} : { destructiveHint: destructive }),
    ...(idempotent === undefined ? {} : { idempotentHint: idempotent }),
    ...(openWorld === undefined ? {} : { openWorldHint: openWorld }),
  };
}
