// A webhook: verifies who sends, makes an event of what came, and answers by what the host made of it.
import type { ErrorCode } from '../../protocol/errors.ts';
import type { EdgeAnswer, EdgeSource } from '../../protocol/edge/messages.ts';
import { verify } from '../../protocol/edge/signatures.ts';
import type { WebhookSource } from '../../protocol/sources.ts';
import type { DriverContext, SourceDriver } from './driver.ts';
import { type WebhookAnswer, jsonAnswer, problem, stranger } from './problem.ts';
import { SeenRequests } from './seen-requests.ts';
import { type WebhookRequest, contentOf } from './webhook-content.ts';
import type { WebhookListener, WebhookRoute } from './webhook-listener.ts';

const pausedRetryMs = 30_000;
const faultyRetryMs = 60_000;
const fullRetryMs = 1000;

export class WebhookDriver implements SourceDriver, WebhookRoute {
  readonly #context: DriverContext;
  readonly #listener: WebhookListener;
  readonly #seen = new SeenRequests();
  #source: EdgeSource;
  #secrets: readonly string[] = [];
  #pending = 0;

  constructor(context: DriverContext, listener: WebhookListener) {
    this.#context = context;
    this.#listener = listener;
    this.#source = context.source;
    this.#readSecrets();
    listener.add(context.source.key, this);
  }

  changed(source: EdgeSource): void {
    this.#source = source;
    this.show();
  }

  reread(): void {
    this.#readSecrets();
    this.show();
  }

  close(): void {
    this.#listener.remove(this.#source.key);
  }

  /** The listener may have opened or failed meanwhile. */
  show(): void {
    const context = this.#context;
    const { state, fault: message } = this.#listener;
    const fault = this.#fault();
    if (fault !== undefined) context.state('faulty', fault);
    else if (this.#source.paused) context.state('paused');
    else if (state === 'open') context.state('open');
    else if (state === 'opening') context.state('connecting');
    else context.state(state === 'none' ? 'faulty' : 'retrying', { code: 'port_unusable', message });
  }

  handle(request: WebhookRequest): WebhookAnswer | Promise<WebhookAnswer> {
    const { count, fault } = bound(this.#context);
    count('received');
    const { declaration } = this;
    if (this.#fault() !== undefined) return this.#refuse('service_unavailable', faultyRetryMs);
    const nowMs = Date.now();
    const header = (name: string): string | undefined => request.headers[name];
    const verdict = verify(declaration.verify, this.#secrets, { header, body: request.body }, nowMs);
    if (!verdict.ok) {
      count('refused');
      fault({ code: 'unauthorized', message: `A request was refused: ${verdict.reason}.` });
      return stranger();
    }
    if (this.#source.paused) return this.#refuse('service_unavailable', pausedRetryMs);
    if (this.#pending >= this.#listener.pending) return this.#refuse('too_many_requests', fullRetryMs);
    if (this.#context.full) return this.#refuse('queue_full', fullRetryMs, 503);
    const { replay } = verdict;
    if (replay !== undefined && verdict.id === undefined && declaration.idFrom === undefined) {
      if (this.#seen.has(replay.key, nowMs)) {
        count('refused');
        fault({ code: 'unauthorized', message: 'A request was refused: it is a copy of one that was accepted.' });
        return stranger();
      }
      // Before it is accepted, so that of two copies at once one is refused.
      this.#seen.add(replay.key, replay.untilMs, nowMs);
    }
    const passed = this.#pass(request, verdict.id);
    if (replay === undefined) return passed;
    return Promise.resolve(passed).then((answer) => {
      if (answer.status >= 300) this.#seen.remove(replay.key);
      return answer;
    });
  }

  #pass(request: WebhookRequest, signedId: string | undefined): WebhookAnswer | Promise<WebhookAnswer> {
    const { count, fault } = bound(this.#context);
    const { name, kinds } = this.#source;
    const { nesting, eventBytes } = this.#context;
    const content = contentOf(request, { name, kinds, nesting, signedId, declaration: this.declaration });
    if ('fault' in content) {
      count('refused');
      fault({ code: 'invalid_request', message: `A request was refused: ${content.fault}.` });
      return problem('invalid_request', {
        detail: `${content.fault.charAt(0).toUpperCase()}${content.fault.slice(1)}.`,
      });
    }
    if ('ignoredKind' in content) {
      count('ignored');
      return jsonAnswer(202, '{"ignored":true}');
    }
    if (Buffer.byteLength(content.payload) > eventBytes) {
      fault({
        code: 'payload_too_large',
        message: `A request was refused: its event is larger than ${String(eventBytes)} bytes (limits.eventBytes).`,
      });
      return this.#refuse('payload_too_large');
    }
    const { kind, source, ids, payload } = content;
    const { answer, answerMs } = this.declaration;
    this.#pending += 1;
    const sent = this.#context.send({
      kind,
      source,
      payload,
      ...ids,
      ...(answer === 'output' ? { outputMs: answerMs } : {}),
    });
    return sent.finally(() => (this.#pending -= 1)).then((outcome) => this.#answer(outcome));
  }

  get declaration(): WebhookSource {
    // The driver is made for sources of this type alone.
    return this.#source.declaration as WebhookSource;
  }

  #answer(outcome: EdgeAnswer): WebhookAnswer {
    if (outcome.outcome === 'output') return jsonAnswer(200, outcome.json);
    if (outcome.outcome === 'accepted') {
      const { correlationId, duplicate } = outcome;
      return jsonAnswer(202, JSON.stringify({ accepted: true, correlationId, ...(duplicate ? { duplicate } : {}) }));
    }
    const { code, retryAfterMs } = outcome;
    if (code === 'invalid_event') return problem('payload_too_large');
    if (notAccepting.includes(code))
      return problem('service_unavailable', { retryAfterMs: retryAfterMs ?? pausedRetryMs });
    // Over HTTP a full queue is the fault of this side, as a full disk is.
    return problem(code, laterCodes.includes(code) ? { status: 503, retryAfterMs: retryAfterMs ?? fullRetryMs } : {});
  }

  #refuse(code: ErrorCode, retryAfterMs?: number, status?: number): WebhookAnswer {
    this.#context.count('refused');
    return problem(code, {
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(status === undefined ? {} : { status }),
    });
  }

  #readSecrets(): void {
    this.#secrets = this.#found().flatMap((found) => (found.ok ? [found.value] : []));
  }

  #found() {
    const { verify: scheme } = this.declaration;
    if (scheme.scheme === 'none') return [];
    return scheme.secretEnv.map((name) => {
      const found = this.#context.credentials.find(name);
      if (!found.ok || scheme.scheme !== 'standard-webhooks') return found;
      const isKey = /^(?:whsec_)?[A-Za-z0-9+/]{16,}={0,2}$/.test(found.value);
      return isKey ? found : ({ ok: false, message: 'the secret is not whsec_ with base64 behind it' } as const);
    });
  }

  /** Without the new secret of two the old one still works, and the other way round. */
  #fault(): { readonly code: string; readonly message: string } | undefined {
    if (this.declaration.verify.scheme === 'none' || this.#secrets.length > 0) return undefined;
    const messages = this.#found().flatMap((found) => (found.ok ? [] : [found.message]));
    return { code: 'credential_missing', message: `No request can be verified: ${messages.join('; ')}.` };
  }
}

/** How the service stands is nobody's business outside. */
const notAccepting: readonly ErrorCode[] = [
  'service_stopped',
  'service_failed',
  'service_unavailable',
  'shutting_down',
];
const laterCodes: readonly ErrorCode[] = ['queue_full', 'storage_full', 'storage_failed'];

const bound = (context: DriverContext) => ({
  count: (what: Parameters<DriverContext['count']>[0]): void => context.count(what),
  fault: (fault: Parameters<DriverContext['fault']>[0]): void => context.fault(fault),
});
