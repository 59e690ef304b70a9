// A process cell's line to the host: the channel of its fork, taken before any plugin runs. The plugin finds neither
// `process.send` nor what arrives here, and cannot cut the line by removing listeners.
import type { HostToProcess, ProcessToHost } from '../protocol/cell/process-messages.ts';

export interface HostLine {
  post(message: ProcessToHost): void;
  listen(receive: (message: HostToProcess) => void): void;
}

const apply: (call: () => unknown, self: unknown, values: readonly unknown[]) => unknown = Reflect.apply;

/**
 * What cannot be sent any more has nobody to receive it: the host is gone, and this process is about to end with it.
 */
const gone = (): void => {};

export function takeHostLine(): HostLine {
  // A fork has it; Node's types know it as what may be missing.
  const { send } = process;
  Object.defineProperty(process, 'send', { value: undefined, configurable: true, writable: true });
  return {
    post(message) {
      apply(send as () => unknown, process, [message, gone]);
    },
    listen(receive) {
      // Where Node tells what came on the channel: the plugin's own listeners for it stay silent.
      const emit = Reflect.get(process, 'emit') as () => unknown;
      const listenerCount = Reflect.get(process, 'listenerCount') as () => unknown;
      Reflect.set(process, 'emit', (name: string, ...rest: unknown[]): unknown => {
        if (name !== 'message') return apply(emit, process, [name, ...rest]);
        receive(rest[0] as HostToProcess);
        return true;
      });
      // Without a listener Node would keep messages back.
      Reflect.set(process, 'listenerCount', (name: string, ...rest: unknown[]): unknown =>
        name === 'message' ? 1 : apply(listenerCount, process, [name, ...rest]),
      );
    },
  };
}
