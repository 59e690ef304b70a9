// What the operations on runtimes do.
import type { runtimeOperations } from '../../protocol/operations/runtime.ts';
import type { Handlers } from './caller.ts';
import type { Registry } from '../runtimes/registry.ts';

export function runtimeHandlers(registry: Registry): Pick<Handlers, keyof typeof runtimeOperations> {
  return {
    'runtime.list': async () => ({ runtimes: await registry.list() }),
    'runtime.show': async ({ runtimeId }) => await registry.show(runtimeId),
    'runtime.workers': async (params) => await registry.workers(params),
  };
}
