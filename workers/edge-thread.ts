// The thread of the edge: sources and outputs run here, apart from the host and from every plugin. It reads the
// daemon's environment for the credentials that sources and outputs name.
import { parentPort, workerData } from 'node:worker_threads';
import type { EdgeData, FromEdge, ToEdge } from '../protocol/edge/messages.ts';
import { Edge } from './edge/edge.ts';

const port = parentPort;
if (port === null) throw new Error('the edge runs as a thread of the daemon');

const edge = new Edge(workerData as EdgeData, process.env, (message: FromEdge) => port.postMessage(message));

port.on('message', (message: ToEdge) => {
  edge.receive(message);
  if (message.type === 'close') port.close();
});
