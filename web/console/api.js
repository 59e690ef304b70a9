// How the page asks the daemon: the operations over HTTP, one problem type, and what holds while the daemon is away.

export class Problem extends Error {
  constructor(status, { code = 'unknown', detail = 'The daemon gave no reason.', details = {} } = {}) {
    super(detail);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

export const at = (...segments) => `/api/${segments.map(encodeURIComponent).join('/')}`;

export async function call(method, path, body) {
  const given = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const answer = await fetch(path, { method, ...given });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, told);
  return told;
}

export const get = (path) => call('GET', path);
export const post = (path, body = {}) => call('POST', path, body);

/** A refused connection is no Problem: the daemon is away. */
export const isAway = (error) => error instanceof TypeError;

export const wordsOf = (error) => {
  if (isAway(error)) return 'The daemon does not answer.';
  const issues = (error.details?.issues ?? []).map(({ path, message }) => `${path === '' ? 'it' : path} ${message}`);
  return [error.message, ...issues].join(' ');
};
