// The host's end of a child's channel: comlink's frames and the lane's messages share it. Of comlink's frames only
// plain answers are let through, because what else comlink can unwrap would act on the host.
import { type Endpoint, type Remote, wrap } from 'comlink';
import type { ChildProcess } from 'node:child_process';
import type { ServiceCellApi } from '../../../protocol/cell/messages.ts';
import type { HostToProcess } from '../../../protocol/cell/process-messages.ts';
import { isFields } from '../../../protocol/fields.ts';

type FrameListener = (event: { data: unknown }) => void;

export class ChildChannel {
  readonly api: Remote<ServiceCellApi>;
  readonly #child: ChildProcess;
  #frame: FrameListener | undefined;

  constructor(child: ChildProcess, receive: (message: unknown) => void) {
    this.#child = child;
    const endpoint: Endpoint = {
      postMessage: (frame: unknown) => this.post({ type: 'rpc', frame }),
      addEventListener: (_type, listener) => {
        this.#frame = listener as FrameListener;
      },
      removeEventListener: () => {},
    };
    this.api = wrap<ServiceCellApi>(endpoint);
    child.on('message', (message: unknown) => {
      if (!isRpc(message)) receive(message);
      else if (isPlainAnswer(message.frame)) this.#frame?.({ data: message.frame });
    });
  }

  post(message: HostToProcess): void {
    if (!this.#child.connected) return;
    this.#child.send(message, () => {
      // What cannot be sent any more has an end of the cell behind it, and that is told.
    });
  }

  close(): void {
    this.#child.removeAllListeners('message');
    if (this.#child.connected) this.#child.disconnect();
  }
}

const isRpc = (message: unknown): message is { readonly frame: unknown } =>
  isFields(message) && message['type'] === 'rpc';

/** Every answer of a cell is data, also where it tells an error. */
const isPlainAnswer = (frame: unknown): boolean =>
  isFields(frame) && frame['type'] === 'RAW' && typeof frame['id'] === 'string';
