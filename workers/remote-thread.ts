// The thread of remote daemons: asks daemons outside the cluster over HTTP, apart from the host and from every plugin.
// It alone reads the tokens, and parses and checks what these daemons answer.
import { parentPort, workerData } from 'node:worker_threads';
import type { FromRemote, RemoteData, ToRemote } from '../protocol/remote/messages.ts';
import { RemoteDaemons } from './remote/remote-daemons.ts';

const port = parentPort;
if (port === null) throw new Error('the thread of remote daemons runs as a thread of the daemon');

const daemons = new RemoteDaemons(workerData as RemoteData, (message: FromRemote) => port.postMessage(message));

port.on('message', (message: ToRemote) => {
  daemons.receive(message);
  if (message.type === 'close') port.close();
});
