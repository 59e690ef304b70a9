// A cell's environment: the names its plugin declares and nothing else of the daemon's own.

export function cellEnvironment(
  names: readonly string[],
  hostEnv: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of names) {
    const value = hostEnv[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}
