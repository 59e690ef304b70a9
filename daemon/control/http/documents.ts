// What the daemon publishes about itself beside its operations: the OpenAPI document and the JSON Schemas of the files
// people write. Each is made once, when first asked for.
import * as z from 'zod';
import { manifest } from '../../../protocol/manifest.ts';
import { config } from '../../config/schema.ts';
import { openApi } from './openapi.ts';

export class Documents {
  readonly #made = new Map<string, () => string>();

  constructor(version: string) {
    this.#publish('/api/openapi.json', () => openApi(version));
    this.#publish('/api/schemas/manifest.json', () => z.toJSONSchema(manifest, { io: 'input' }));
    this.#publish('/api/schemas/config.json', () => z.toJSONSchema(config, { io: 'input' }));
  }

  /** The text of the document at a path. */
  find(path: string): (() => string) | undefined {
    return this.#made.get(path);
  }

  #publish(path: string, make: () => unknown): void {
    let text: string | undefined;
    this.#made.set(path, () => (text ??= JSON.stringify(make())));
  }
}
