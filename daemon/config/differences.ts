// Where two configurations differ, by the path of each field that does.
import { isDeepStrictEqual } from 'node:util';
import { isFields } from '../../protocol/fields.ts';

type Path = readonly [string, ...string[]];

export function differences(one: object, other: object): Path[] {
  return below([], one, other) as Path[];
}

function below(path: readonly string[], one: unknown, other: unknown): (readonly string[])[] {
  if (isDeepStrictEqual(one, other)) return [];
  if (!isFields(one) || !isFields(other)) return [path];
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].flatMap((key) =>
    below([...path, key], one[key], other[key]),
  );
}
