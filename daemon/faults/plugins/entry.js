// The entry of every plugin of the kit: a service and tools around one fault. Beside the fault they do honest work, so
// that the kit sees when the slot is of use again.
import { setTimeout as sleep } from 'node:timers/promises';
import * as faulty from './fault.js';

async function work({ n, ms }) {
  if (ms !== undefined) await sleep(ms);
  return { n };
}

const commit = (given, subject, ctx) => faulty.deeds[given.deed]({ subject, ctx });

export const service = {
  start() {},
  handleIngress: (event, ctx) => (event.kind === 'fault' ? commit(event.payload, event, ctx) : work(event.payload)),
};

export const tools = {
  work,
  fault: (input, ctx) => commit(input, input, ctx),
};
