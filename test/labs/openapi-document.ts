// The published OpenAPI document as tests look at it: which of its operations a request is, and what that one declares.
import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { HttpAnswer } from './http-client.ts';

export interface DescribedParameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: object;
}

export interface DescribedOperation {
  readonly operationId: string;
  readonly 'x-audience': string;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters: readonly DescribedParameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Record<string, { readonly schema: { readonly properties: object } }>;
  };
  readonly responses: Record<string, { readonly content: Record<string, { readonly schema: object }> }>;
}

export interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Record<string, Record<string, DescribedOperation>>;
  readonly components: Record<string, Record<string, unknown>>;
}

export interface Place {
  readonly path: string;
  readonly method: string;
  readonly described: DescribedOperation;
}

export const placesOf = (document: Document): Place[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({ path, method, described })),
  );

/** Everything that stands under a key, at any depth. */
export function under(key: string, at: unknown): unknown[] {
  if (typeof at !== 'object' || at === null) return [];
  return Object.entries(at).flatMap(([name, value]) => [
    ...(name === key ? [value as unknown] : []),
    ...under(key, value),
  ]);
}

/** Holds answers against what the document declares for their status and type. */
export class DeclaredAnswers {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false });
  readonly #document: Document;
  readonly #compiled = new Map<object, ValidateFunction>();
  /** Each pair of operation and status that was seen. */
  readonly seen = new Set<string>();

  constructor(document: Document) {
    this.#document = document;
  }

  check(operationId: string, { status, headers, text, json }: HttpAnswer): void {
    const { described } = placesOf(this.#document).find((place) => place.described.operationId === operationId) ?? {};
    const said = `${operationId} answered ${String(status)} ${text.slice(0, 500)}`;
    const type = String(headers['content-type']).split(';')[0] ?? '';
    const declared = described?.responses[String(status)]?.content[type];
    assert.ok(declared, `${said} as ${type}, which is not declared`);
    this.seen.add(`${operationId} ${String(status)}`);
    if (type === 'text/event-stream') return;
    const fits = this.#schema(declared.schema);
    assert.ok(fits(json), `${said}: ${JSON.stringify(fits.errors)}`);
  }

  #schema(schema: object): ValidateFunction {
    const known = this.#compiled.get(schema) ?? this.#ajv.compile({ ...schema, components: this.#document.components });
    this.#compiled.set(schema, known);
    return known;
  }
}
