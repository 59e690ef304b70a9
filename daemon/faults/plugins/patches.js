// Handlers that change what they share with other code: globals, prototypes, the environment, the event itself. Nothing
// of it may be seen by anybody else.
import { MessagePort } from 'node:worker_threads';

const broken = () => {
  throw new Error('this has been patched by the plugin');
};

export const deeds = {
  'env-mutation': () => {
    process.env.NAGAYA_FAULT_LEAK = 'leaked';
    process.env.PATH = '/nowhere';
    delete process.env.HOME;
    return 'done';
  },
  'prototype-pollution': () => {
    Object.prototype.polluted = 'yes';
    Array.prototype.map = broken;
    return 'done';
  },
  'patched-stdout': () => {
    process.stdout.write = broken;
    process.stderr.write = broken;
    return 'done';
  },
  'patched-console': () => {
    for (const name of Object.keys(console)) console[name] = broken;
    return 'done';
  },
  'patched-json': () => {
    JSON.stringify = broken;
    JSON.parse = broken;
    return 'done';
  },
  'patched-message-port': () => {
    for (const name of ['postMessage', 'on', 'once', 'close', 'start', 'emit']) MessagePort.prototype[name] = broken;
    return 'done';
  },
  'event-mutation': ({ subject }) => {
    for (const key of Object.keys(subject)) subject[key] = 'forged';
    subject.correlationId = 'forged';
    Object.freeze(subject);
    return 'done';
  },
};
