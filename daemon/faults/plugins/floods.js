// Handlers that say far more than anybody can listen to.
import { parentPort } from 'node:worker_threads';

const lines = 200_000;
const line = 'a line of a flood that goes on and on and says nothing at all, over and over again';

export const deeds = {
  'stdout-flood': () => {
    for (let at = 0; at < lines; at += 1) process.stdout.write(`${line} ${at}\n`);
    return 'done';
  },
  'log-flood': ({ ctx }) => {
    for (let at = 0; at < lines; at += 1) ctx.log.info(line, { at });
    return 'done';
  },
  'message-flood': () => {
    const channel = new BroadcastChannel('nagaya');
    for (let at = 0; at < lines; at += 1) {
      parentPort?.postMessage({ type: 'results', through: at, failures: [], outputs: [] });
      process.send?.({ type: 'results', through: at, failures: [], outputs: [] });
      channel.postMessage(line);
    }
    channel.close();
    return 'done';
  },
};
