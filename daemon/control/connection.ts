// What the server knows of a connection, whichever language it speaks, and how one is ended so that the other side
// still gets to read why.
import type { Socket } from 'node:net';
import type { HostError } from '../../protocol/errors.ts';

export interface Connection {
  /** Tells one request that has begun and not fully arrived from the next such; undefined where there is none. */
  readonly unfinished: number | undefined;
  /** Answers with the reason, in its language, and ends it. */
  cutOff(reason: HostError): void;
  /** Takes no more requests, answers what is pending, and ends. */
  finish(): void;
}

const partingMs = 1000;

/** Says goodbye and goes on reading into nothing for a moment: a peer in the middle of writing can then read why. */
export function partFrom(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), partingMs);
  socket.once('close', () => clearTimeout(timer));
  socket.end();
  socket.resume();
}

/** As `partFrom`, but what was already answered may take its time to be read. */
export function partOnceRead(socket: Socket): void {
  socket.end(() => {
    if (!socket.destroyed) partFrom(socket);
  });
  socket.resume();
}

const departureEveryMs = 250;

/**
 * A peer that has ended its side may still read, or be gone altogether, and both look the same to a reader. To write
 * nothing costs the peer nothing, and fails when it is gone.
 */
export function noticeDeparture(socket: Socket): void {
  const writeNothing = (): void => {
    // Once we have ended our side too, what is still to be written says as much.
    if (socket.writableEnded) clearInterval(timer);
    else socket.write('');
  };
  const timer = setInterval(writeNothing, departureEveryMs);
  socket.once('close', () => clearInterval(timer));
  writeNothing();
}
