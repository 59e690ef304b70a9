// Which file imports which, as the compiled code will: with `verbatimModuleSyntax`, an import stands at run time unless
// the whole statement says `import type`.
import { readFile, readdir } from 'node:fs/promises';
import { dirname, join, posix, relative, sep } from 'node:path';
import ts from 'typescript';

export interface Import {
  readonly line: number;
  /** As it is written. */
  readonly specifier: string;
  /** The file of the project it means, by its path from the root; absent for packages and Node's own modules. */
  readonly file?: string;
  /** Gone once compiled. */
  readonly typeOnly: boolean;
}

/** By path from the root, with forward slashes. */
export type ImportGraph = ReadonlyMap<string, readonly Import[]>;

export async function readImportGraph(root: string, folders: readonly string[]): Promise<ImportGraph> {
  const graph = new Map<string, readonly Import[]>();
  for (const folder of folders) {
    for (const path of await sourceFiles(join(root, folder))) {
      const name = relative(root, path).split(sep).join('/');
      graph.set(name, importsOf(name, await readFile(path, 'utf8')));
    }
  }
  return graph;
}

export async function sourceFiles(folder: string): Promise<string[]> {
  let entries;
  try {
    entries = await readdir(folder, { recursive: true, withFileTypes: true });
  } catch (error) {
    // A layer that is not there has no files.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return entries
    .filter((entry) => entry.isFile() && /\.m?ts$/.test(entry.name) && !entry.parentPath.includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

export function importsOf(name: string, text: string): Import[] {
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.ES2023, true);
  const found: Import[] = [];
  const add = (specifier: ts.Node, typeOnly: boolean): void => {
    if (!ts.isStringLiteralLike(specifier)) return;
    const line = source.getLineAndCharacterOfPosition(specifier.getStart(source)).line + 1;
    const file = specifier.text.startsWith('.')
      ? posix.normalize(posix.join(dirname(name), specifier.text))
      : undefined;
    found.push({ line, specifier: specifier.text, typeOnly, ...(file === undefined ? {} : { file }) });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node))
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined)
      add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (
      ts.isCallExpression(node) &&
      node.expression.kind === ts.SyntaxKind.ImportKeyword &&
      node.arguments[0] !== undefined
    )
      add(node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
