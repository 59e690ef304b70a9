// What a hosted server lists, looked at by hand: it comes from a program that nobody here has written.
import { type Fields, isFields } from '../../../protocol/fields.ts';
import type { ServerTool, ToolAnnotations } from '../../../protocol/mcp/messages.ts';

const maxNameLength = 256;

/** Undefined where it is no tool. */
export function listedTool(value: unknown): ServerTool | undefined {
  if (!isFields(value)) return undefined;
  const { name, title, description, inputSchema, outputSchema, annotations } = value;
  if (typeof name !== 'string' || name === '' || name.length > maxNameLength) return undefined;
  const hints = isFields(annotations) ? annotations : {};
  const shown = typeof title === 'string' ? title : hints['title'];
  return {
    name,
    ...(typeof shown === 'string' ? { title: shown } : {}),
    description: typeof description === 'string' ? description : '',
    inputSchema: isFields(inputSchema) ? inputSchema : {},
    outputSchema: isFields(outputSchema) ? outputSchema : {},
    ...(isFields(annotations) ? { annotations: annotationsOf(hints) } : {}),
  };
}

function annotationsOf(hints: Fields): ToolAnnotations {
  const flag = (name: string): boolean | undefined => (typeof hints[name] === 'boolean' ? hints[name] : undefined);
  return {
    readOnly: flag('readOnlyHint'),
    destructive: flag('destructiveHint'),
    idempotent: flag('idempotentHint'),
    openWorld: flag('openWorldHint'),
  };
}
