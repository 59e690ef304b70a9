// The native objects behind Node's modules, where each descriptor passes through whatever function a plugin calls. Node
// hands them out by `process.binding`; under the permission model it does not, and they are taken from objects that
// have one.
import childProcess from 'node:child_process';
import dgram from 'node:dgram';
import net, { type Socket } from 'node:net';

/** The functions that objects of one native class share. */
export type NativePrototype = Record<string, unknown>;

export interface NativeClasses {
  readonly pipe: NativePrototype;
  readonly tcp: NativePrototype;
  readonly udp: NativePrototype;
  readonly process: NativePrototype;
}

type Binding = Record<string, { readonly prototype: NativePrototype } | undefined>;

/** Undefined under the permission model, and where Node has given it up. */
export function nativeBinding(name: string): Record<string, unknown> | undefined {
  try {
    return (process as unknown as { binding(name: string): Record<string, unknown> }).binding(name);
  } catch {
    // Then what passes through it is held by the public functions alone.
    return undefined;
  }
}

let known: NativeClasses | undefined;

/** Found once: afterwards the guard itself stands in the way of finding them. */
export const nativeClasses = (): NativeClasses => (known ??= findNativeClasses());

function findNativeClasses(): NativeClasses {
  const of = (binding: string, name: string): NativePrototype | undefined =>
    (nativeBinding(binding) as Binding | undefined)?.[name]?.prototype;
  return {
    pipe: of('pipe_wrap', 'Pipe') ?? prototypeOf(handleOfSocket({ path: '/' })),
    tcp: of('tcp_wrap', 'TCP') ?? prototypeOf(handleOfSocket({ host: '127.0.0.1', port: 1 })),
    udp: of('udp_wrap', 'UDP') ?? prototypeOf(handleOfUdpSocket()),
    process:
      of('process_wrap', 'Process') ??
      prototypeOf(Reflect.get(new (childProcess.ChildProcess as unknown as new () => object)(), '_handle')),
  };
}

/** Where the permission model denies the network there is no handle, and so nothing to guard. */
const prototypeOf = (native: unknown): NativePrototype =>
  native == null ? {} : (Object.getPrototypeOf(native) as NativePrototype);

/** Each socket has one as soon as it begins to connect; this one ends before it gets anywhere. */
function handleOfSocket(address: { path: string } | { host: string; port: number }): unknown {
  const socket: Socket = new net.Socket();
  socket.on('error', () => {
    // It was never meant to be connected.
  });
  socket.connect(address);
  const native: unknown = Reflect.get(socket, '_handle');
  socket.destroy();
  return native;
}

function handleOfUdpSocket(): unknown {
  const socket = dgram.createSocket('udp4');
  const states = Object.getOwnPropertySymbols(socket).map(
    (symbol) => Reflect.get(socket, symbol) as { readonly handle?: unknown } | undefined,
  );
  const native = states.find((state) => typeof state === 'object' && state.handle !== undefined)?.handle;
  socket.close();
  return native;
}
