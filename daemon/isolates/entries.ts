// Where the code that runs inside cells lies. Cells always run the compiled files, also when the host itself runs
// from source in a test: a thread cannot load TypeScript on Node 20, and what ships is what is tested.
const fromSource = import.meta.url.endsWith('.ts');

export function cellEntry(name: 'service-cell' | 'process-cell' | 'tool-cell' | 'schema-check' | 'entry-check' | 'default-profile'): URL {
  return new URL(`${fromSource ? '../../dist/workers' : '../../workers'}/${name}.js`, import.meta.url);
}
