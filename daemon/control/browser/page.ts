// The page that the daemon serves: a few plain files, read once. They hold nothing that is not public, so that they are
// given to whoever asks; what the page shows comes from the operations.
import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';

interface PageFile {
  readonly type: string;
  readonly body: Buffer;
}

/** Beside the source and in the package: nothing compiles or copies them. */
const folder = new URL(import.meta.url.endsWith('.ts') ? '../../../web/' : '../../../../web/', import.meta.url);
/** What the build has put together. */
const built = new URL('../dist/web/', folder);

const files: readonly (readonly [path: string, name: string, type: string])[] = [
  ['/', 'index.html', 'text/html; charset=utf-8'],
  ['/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/page.css', 'page.css', 'text/css; charset=utf-8'],
  ['/icon.svg', 'icon.svg', 'image/svg+xml'],
  ['/console', 'console.html', 'text/html; charset=utf-8'],
];

const builtFiles: typeof files = [
  ['/console.js', 'console.js', 'text/javascript; charset=utf-8'],
  ['/console.css', 'console.css', 'text/css; charset=utf-8'],
];

export class Page {
  readonly #files: ReadonlyMap<string, PageFile>;

  private constructor(found: ReadonlyMap<string, PageFile>) {
    this.#files = found;
  }

  static async load(): Promise<Page> {
    const read = ([path, name, type]: (typeof files)[number], from: URL) =>
      readFile(new URL(name, from)).then((body) => [path, { type, body }] as const);
    const found = [...files.map((file) => read(file, folder)), ...builtFiles.map((file) => read(file, built))];
    return new Page(new Map(await Promise.all(found)));
  }

  has(path: string): boolean {
    return this.#files.has(path);
  }

  send(path: string, response: ServerResponse): void {
    const file = this.#files.get(path);
    if (file === undefined) throw new Error(`the page has no ${path}`);
    response.writeHead(200, { 'content-type': file.type, 'content-length': file.body.length });
    response.end(file.body);
  }
}
