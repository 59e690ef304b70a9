// The thread of the cluster: the connection to the NATS server, apart from the host and from every plugin. It reads the
// daemon's environment for the credentials that the configuration names.
import { parentPort, workerData } from 'node:worker_threads';
import type { ClusterData, FromCluster, ToCluster } from '../protocol/cluster/messages.ts';
import { ClusterNode } from './cluster/cluster-node.ts';

const port = parentPort;
if (port === null) throw new Error('the cluster runs as a thread of the daemon');

const node = new ClusterNode(workerData as ClusterData, process.env, (message: FromCluster) =>
  port.postMessage(message),
);

port.on('message', (message: ToCluster) => {
  node.receive(message);
  if (message.type === 'close') void node.closed.then(() => port.close());
});
