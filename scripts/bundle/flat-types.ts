// The last step of `npm pack`'s build: writes the types of the client's operations without zod. The compiler writes the
// whole table of schemas where a program only wants what it sends and gets, which is five times as much. What is
// written here is held against the table, name by name: to the compiler it must be the same.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format } from 'prettier';
import ts from 'typescript';
import { operationNames } from '../../protocol/operations.ts';
import { TypeText } from './type-text.ts';

const root = join(import.meta.dirname, '..', '..');
const protocol = (path: string): string => join(root, 'protocol', path);

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2023.d.ts'],
  types: ['node'],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  allowImportingTsExtensions: true,
  strict: true,
  // Tells a field that may be missing from one that may be undefined, as programs with this option do.
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  noEmit: true,
};

/** A program of the sources and of files that are only in memory, among them `main`. */
function programOf(main: string, texts: Readonly<Record<string, string>>, old?: ts.Program): ts.Program {
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => path in texts || fileExists(path);
  host.readFile = (path) => texts[path] ?? readFile(path);
  host.getSourceFile = (path, ...rest) =>
    path in texts
      ? ts.createSourceFile(path, texts[path] ?? '', ts.ScriptTarget.ES2023)
      : (old?.getSourceFile(path) ?? getSourceFile(path, ...rest));
  return ts.createProgram([main], options, host, old);
}

function typesOf(program: ts.Program, path: string): (name: string) => ts.Type {
  const checker = program.getTypeChecker();
  const file = program.getSourceFile(path);
  const module = file && checker.getSymbolAtLocation(file);
  const exported = module ? checker.getExportsOfModule(module) : [];
  return (name) => {
    const found = exported.find((each) => each.name === name);
    if (found === undefined) throw new Error(`${path} exports no ${name}`);
    return checker.getDeclaredTypeOfSymbol(found);
  };
}

const fromErrors = (up: string, types: TypeText): string => {
  const text = types.toString();
  return `${/\bErrorCode\b/.test(text) ? `import type { ErrorCode } from '${up}/errors.ts';\n` : ''}${text}`;
};

/** The declarations, by their place below `dist/protocol`. */
async function flatTypes(): Promise<Record<string, string>> {
  const main = protocol('packaged-types.ts');
  const text = `
    import type { OperationInput, OperationName, OperationResult } from './operations.ts';
    export type { FeedNotification } from './operations/telemetry.ts';
    export type { ProgressNotification } from './operations/tool.ts';
    export type { ErrorCode } from './errors.ts';
    export type Inputs = { [Name in OperationName]: OperationInput<Name> };
    export type Results = { [Name in OperationName]: OperationResult<Name> };`;
  const program = programOf(main, { [main]: text });
  const type = typesOf(program, main);
  const flat = (...names: string[]): TypeText => {
    const types = new TypeText(program.getTypeChecker(), { ErrorCode: type('ErrorCode') });
    for (const name of names) types.add(name, type(name));
    return types;
  };
  const texts = {
    'operations.d.ts': `${fromErrors('.', flat('Inputs', 'Results'))}
      export type OperationName = keyof Inputs & keyof Results;
      export type OperationInput<Name extends OperationName> = Inputs[Name];
      export type OperationResult<Name extends OperationName> = Results[Name];`,
    'operations/telemetry.d.ts': fromErrors('..', flat('FeedNotification')),
    'operations/tool.d.ts': fromErrors('..', flat('ProgressNotification')),
  };
  const different = differences(texts, program);
  if (different.length > 0) throw new Error(`the flat types are not those of the table:\n${different.join('\n')}`);
  const style = { parser: 'typescript', printWidth: 120, singleQuote: true };
  return Object.fromEntries(
    await Promise.all(Object.entries(texts).map(async ([path, each]) => [path, await format(each, style)])),
  ) as Record<string, string>;
}

/** Two types are the same to the compiler when it may not tell them apart in a condition that it has not decided. */
function differences(flat: Readonly<Record<string, string>>, old: ts.Program): string[] {
  const main = protocol('packaged-types-check.ts');
  const same = operationNames.map((name) => `'${name}': true,`).join(' ');
  const flatFile = (path: string): string => path.replace(/([a-z]+)\.d\.ts$/, 'flat-$1.ts');
  const text = `
    import type * as table from './operations.ts';
    import type { FeedNotification } from './operations/telemetry.ts';
    import type { ProgressNotification } from './operations/tool.ts';
    import type * as flat from './flat-operations.ts';
    import type { FeedNotification as FlatFeed } from './operations/flat-telemetry.ts';
    import type { ProgressNotification as FlatProgress } from './operations/flat-tool.ts';
    type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
    export const names: Same<table.OperationName, flat.OperationName> = true;
    export const feed: Same<FeedNotification, FlatFeed> = true;
    export const progress: Same<ProgressNotification, FlatProgress> = true;
    export const inputs: { [N in flat.OperationName]: Same<table.OperationInput<N>, flat.OperationInput<N>> } =
      { ${same} };
    export const results: { [N in flat.OperationName]: Same<table.OperationResult<N>, flat.OperationResult<N>> } =
      { ${same} };`;
  const texts = Object.fromEntries(Object.entries(flat).map(([path, each]) => [protocol(flatFile(path)), each]));
  const program = programOf(main, { ...texts, [main]: text }, old);
  return [main, ...Object.keys(texts)].flatMap((path) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(path))
      .map(({ messageText }) => `${path}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`),
  );
}

for (const [path, text] of Object.entries(await flatTypes()))
  await writeFile(join(root, 'dist', 'protocol', path), text);
