// The JSON Schemas of plugin.json and of the configuration, as editors and other programs check with them.
import * as z from 'zod';
import { manifest } from '../../protocol/manifest.ts';
import { config } from '../config/schema.ts';

const schemas = { manifest, config } as const;

export type SchemaName = keyof typeof schemas;

/** Describes what may be written in the file, so fields with a default are optional. */
export const publishedSchema = (name: SchemaName): unknown => z.toJSONSchema(schemas[name], { io: 'input' });
