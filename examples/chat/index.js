// A worker that talks to a language model: any server that speaks the chat part of OpenAI's HTTP API will do. What the
// model answers is said piece by piece as it comes; what goes wrong is told in an error that names the place.
import { defineProfile } from 'nagaya/sdk';
import { EventStream } from './event-stream.js';
import { settingsOf } from './settings.js';

const maxBodyBytes = 4 * 1024 * 1024;
const maxShown = 300;

const roles = { user: 'user', system: 'system', worker: 'assistant' };

/** The newest of the conversation, as much as may be sent. */
function conversation(input, ctx, { system, historyItems, historyCharacters }) {
  const past = [];
  let characters = 0;
  for (const { role, content } of ctx.history().reverse()) {
    characters += content.length;
    if (past.length === historyItems || characters > historyCharacters) break;
    past.unshift({ role: roles[role], content });
  }
  return [...(system === '' ? [] : [{ role: 'system', content: system }]), ...past, { role: roles[input.kind], content: input.content }];
}

/** Gives up when nothing has come for too long; each part that comes begins its time again. */
class Patience {
  #abort = new AbortController();
  #timer;

  get signal() {
    return this.#abort.signal;
  }

  allow(ms, waitedFor) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#abort.abort(new Error(`${waitedFor} did not come within ${ms} ms`)), ms);
  }

  end() {
    clearTimeout(this.#timer);
  }
}

/** What a failed request has to say for itself: fetch keeps it one level down. */
const reasonOf = (error) => error?.cause?.code ?? error?.cause?.message ?? error?.message ?? String(error);

const shown = (text) => (text.length > maxShown ? `${text.slice(0, maxShown)}…` : text);

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`it sent what is not JSON: ${shown(text)}`);
  }
}

/** Servers say what is wrong in more than one form. */
function complaintIn(body) {
  const { error } = body ?? {};
  if (error === undefined || error === null) return undefined;
  return shown(typeof error === 'string' ? error : typeof error.message === 'string' ? error.message : JSON.stringify(error));
}

class Answer {
  #ctx;
  #characters = 0;
  #finished = false;

  constructor(ctx) {
    this.#ctx = ctx;
  }

  get begun() {
    return this.#characters > 0;
  }

  get finished() {
    return this.#finished;
  }

  /** One JSON body: a part of a streamed answer, or the whole of another. */
  take(body) {
    const complaint = complaintIn(body);
    if (complaint !== undefined) throw new Error(`it reports an error: ${complaint}`);
    const choice = body?.choices?.[0];
    const text = (choice?.delta ?? choice?.message)?.content;
    if (typeof text === 'string' && text !== '') {
      this.#ctx.say(text);
      this.#characters += text.length;
    }
    if (typeof choice?.finish_reason === 'string') this.finish(choice.finish_reason);
  }

  finish(why) {
    this.#finished = true;
    if (why !== 'stop') this.#ctx.log.warn('the answer ended early', { finishReason: why });
    if (!this.begun) this.#ctx.log.warn('the answer is empty');
  }
}

/** A body may stay silent even when its request is given up (one that cannot be unpacked does), so each wait ends by the signal. */
async function* chunksOf(response, patience, idleMs, signal) {
  if (response.body === null) return;
  const reader = response.body.getReader();
  let giveUp = () => {};
  signal.addEventListener('abort', () => giveUp(signal.reason), { once: true });
  try {
    for (;;) {
      patience.allow(idleMs, 'the next part of the answer');
      signal.throwIfAborted();
      const { done, value } = await new Promise((resolve, reject) => {
        giveUp = reject;
        reader.read().then(resolve, reject);
      });
      if (done) return;
      yield value;
    }
  } finally {
    // The rest is wanted by nobody; that it cannot be cancelled any more is no news.
    reader.cancel().catch(() => {});
  }
}

async function bodyOf(chunks) {
  const parts = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new Error(`its answer has more than ${maxBodyBytes} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString('utf8');
}

async function refusal(response, chunks) {
  let said = '';
  try {
    const text = await bodyOf(chunks);
    said = shown(text.trim());
    said = complaintIn(JSON.parse(text)) ?? said;
  } catch {
    // The status alone has to do, or the text as it is.
  }
  const after = response.headers.get('retry-after');
  return new Error(`it answered ${response.status}${said === '' ? '' : `: ${said}`}${after === null ? '' : ` (try again after ${shown(after)})`}`);
}

/** True at the end of the stream; what comes behind it is not for us. */
function takeEvents(events, answer) {
  for (const data of events) {
    if (data.trim() === '[DONE]') {
      if (!answer.finished) answer.finish('stop');
      return true;
    }
    answer.take(parse(data));
  }
  return false;
}

async function takeStream(chunks, answer) {
  const stream = new EventStream();
  for await (const chunk of chunks) {
    if (takeEvents(stream.push(chunk), answer)) return;
  }
  // A stream that was cut may leave half an event behind.
  takeEvents(stream.end().filter(isWhole), answer);
}

function isWhole(data) {
  try {
    return data.trim() === '[DONE]' || parse(data) !== undefined;
  } catch {
    return false;
  }
}

async function ask(input, ctx, settings, key, patience, answer) {
  const { url, model, connectMs, idleMs } = settings;
  patience.allow(connectMs, 'an answer');
  const signal = AbortSignal.any([ctx.signal, patience.signal]);
  const response = await fetch(url, {
    method: 'POST',
    // A key must not follow where somebody else points.
    redirect: 'error',
    signal,
    headers: { 'content-type': 'application/json', accept: 'text/event-stream, application/json', ...(key === '' ? {} : { authorization: `Bearer ${key}` }) },
    body: JSON.stringify({ model, stream: true, messages: conversation(input, ctx, settings) }),
  });
  const chunks = chunksOf(response, patience, idleMs, signal);
  if (!response.ok) throw await refusal(response, chunks);
  if (/\bjson\b/i.test(response.headers.get('content-type') ?? '')) {
    answer.take(parse(await bodyOf(chunks)));
    if (!answer.finished) answer.finish('stop');
    return;
  }
  await takeStream(chunks, answer);
  if (!answer.finished) throw new Error('its answer broke off');
}

export const profiles = {
  chat: defineProfile({
    async onInput(input, ctx) {
      const settings = settingsOf(ctx.config);
      const key = process.env.CHAT_API_KEY ?? '';
      const patience = new Patience();
      const answer = new Answer(ctx);
      try {
        await ask(input, ctx, settings, key, patience, answer);
      } catch (error) {
        ctx.signal.throwIfAborted();
        const reason = reasonOf(patience.signal.aborted ? patience.signal.reason : error);
        const place = answer.begun ? 'the answer is not complete' : 'no answer';
        const message = `${settings.url.host}: ${place}: ${reason}`;
        // Some servers repeat the key in what they complain of. The error that caused this one might hold it too.
        throw new Error(key === '' ? message : message.replaceAll(key, '[key]'));
      } finally {
        patience.end();
      }
    },
  }),
};
