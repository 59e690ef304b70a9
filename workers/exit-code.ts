// The exit code that a plugin asked for, as Node would have taken it: what it gave, else what it has set before, else
// 0. It is told with the cell's last word, because the cell itself is ended in another way.

export function exitCodeOf(given: unknown): number {
  const code = Number(given ?? process.exitCode ?? 0);
  return Number.isSafeInteger(code) ? code : 1;
}
