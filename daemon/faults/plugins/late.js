// Handlers that answer and leave something behind that goes wrong later, when nobody waits for it any more.
import { Readable } from 'node:stream';

const lateMs = 20;

const later = (act) => {
  setTimeout(act, lateMs);
  return 'done';
};

export const deeds = {
  'late-rejection': () => later(() => Promise.reject(new Error('rejected after the answer'))),
  'late-throw': () =>
    later(() => {
      throw new Error('thrown after the answer');
    }),
  'stream-error': () => later(() => new Readable({ read() {} }).destroy(new Error('an error event nobody listens to'))),
  'interval-left': () => {
    setInterval(() => {}, 1);
    return 'done';
  },
  'captured-exceptions': () => {
    process.setUncaughtExceptionCaptureCallback(() => {});
    return later(() => {
      throw new Error('thrown into a captured callback');
    });
  },
  'removed-listeners': () => {
    for (const name of ['uncaughtException', 'unhandledRejection', 'exit', 'message', 'disconnect']) process.removeAllListeners(name);
    process.removeAllListeners();
    return later(() => {
      throw new Error('thrown with every listener removed');
    });
  },
};
