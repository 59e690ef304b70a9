// The suite imports fs.globSync, which Node 20 has not, and which only another of its commands calls. Given to Node with
// --import, this lets it run there too.
import { register } from 'node:module';

const fs = `data:text/javascript,${encodeURIComponent(
  "export * from 'node:fs'; export { default } from 'node:fs'; export const globSync = undefined;",
)}`;
const hooks = `export async function resolve(specifier, context, next) {
  return specifier === 'fs' && /conformance/.test(context.parentURL ?? '')
    ? { url: ${JSON.stringify(fs)}, shortCircuit: true }
    : await next(specifier, context);
}`;
if (!('globSync' in (await import('node:fs')))) register(`data:text/javascript,${encodeURIComponent(hooks)}`);
