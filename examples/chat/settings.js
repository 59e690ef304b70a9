// What the operator configures under plugins.overrides["example.chat"].config, checked at each input, so that a mistake
// there is told in the worker's own transcript.

const defaults = {
  /** Said to the model before everything else; none where it is empty. */
  system: '',
  /** Until the answer begins; some models think for a while before it. */
  connectMs: 30_000,
  /** Between two parts of it. */
  idleMs: 30_000,
  /** Of the conversation so far, what is sent along. */
  historyItems: 40,
  historyCharacters: 32_000,
};

function requireKind(name, value, kind) {
  const fits = kind === 'text' ? typeof value === 'string' : Number.isSafeInteger(value) && value > 0;
  if (!fits) throw new Error(`config.${name} must be a ${kind === 'text' ? 'text' : 'whole number above 0'}`);
}

export function settingsOf(config) {
  const { endpoint, model, ...rest } = config;
  if (typeof endpoint !== 'string' || !URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw new Error('config.endpoint must be the address of an OpenAI-compatible API, such as "http://127.0.0.1:8080/v1"');
  }
  if (typeof model !== 'string' || model === '') throw new Error('config.model must name the model to ask');
  for (const name of Object.keys(rest)) {
    if (!Object.hasOwn(defaults, name)) throw new Error(`config.${name} is not known; there are endpoint, model, ${Object.keys(defaults).join(', ')}`);
  }
  const settings = { ...defaults, ...rest };
  for (const [name, value] of Object.entries(settings)) requireKind(name, value, name === 'system' ? 'text' : 'number');
  const url = new URL(endpoint);
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = path.endsWith('/chat/completions') ? path : `${path}/chat/completions`;
  return { ...settings, model, url };
}
