// Where a command goes: the path that its plugin gives is resolved below the declared URL, and can lead nowhere else.

export type Below = { readonly ok: true; readonly url: string } | { readonly ok: false; readonly message: string };

const refused = (message: string): Below => ({ ok: false, message });

/** Scheme, host and port stay as they are declared; the query is the path's where it has one. */
export function belowUrl(declared: string, path: string | undefined): Below {
  if (path === undefined) return { ok: true, url: declared };

  if (/[\\#\x00-\x20\x7f]/.test(path))
    return refused('The path holds a space, a backslash, "#" or a control character.');
  const [segments = '', ...query] = path.split('?');
  for (const segment of segments.split('/')) {
    const plain = decoded(segment);
    if (plain === undefined) return refused('The path holds a "%" that begins no escape.');
    if (plain === '.' || plain === '..' || /[/\\]/.test(plain))
      return refused('The path holds "." or "..", or an escaped slash, and could lead out of the URL of the output.');
  }
  const base = new URL(declared);
  const folder = base.pathname.endsWith('/') ? base.pathname : `${base.pathname}/`;
  const url = new URL(base);
  url.pathname = `${folder}${segments.replace(/^\/+/, '')}`;
  if (query.length > 0) url.search = query.join('?');
  return url.origin === base.origin && url.pathname.startsWith(folder)
    ? { ok: true, url: url.href }
    : refused('The path leads out of the URL of the output.');
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    // It is no text.
    return undefined;
  }
}
