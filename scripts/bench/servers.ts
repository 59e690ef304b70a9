// The servers that are measured behind a socket: the daemon with its plugins, and the peers.
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rm } from 'node:fs/promises';
import { BenchDaemon, type BenchDaemonOptions } from './bench-daemon.ts';
import type { ToolIsolation } from '../../protocol/manifest.ts';
import type { LoadPlan } from './load/load-station.ts';
import { eventAt, postRequest, requestLine } from './payload.ts';
import { type ServiceOptions, serviceId, writeService, writeTool } from './plugins.ts';
import type { Session } from './session.ts';
import { Station } from './station.ts';
import type { Placement } from './subject.ts';

export async function serviceDaemon(
  session: Session,
  placement: Placement,
  options: ServiceOptions & Pick<BenchDaemonOptions, 'limits'> = {},
): Promise<BenchDaemon> {
  const daemon = await session.holding(
    BenchDaemon.start({ placement, ...(options.limits === undefined ? {} : { limits: options.limits }) }),
  );
  await daemon.load(await writeService(daemon.folder, options), { start: true });
  return daemon;
}

export async function toolDaemon(
  session: Session,
  placement: Placement,
  threads: number,
  isolation: ToolIsolation = 'pooled',
): Promise<BenchDaemon> {
  const daemon = await session.holding(BenchDaemon.start({ placement, limits: { toolThreads: threads } }));
  await daemon.load(await writeTool(daemon.folder, isolation), { start: false });
  return daemon;
}

/** A peer that listens on a socket of its own. */
export interface PeerServer {
  readonly socket: string;
  readonly station: Station;
}

async function peer(session: Session, program: string, placement: Placement, listening: object): Promise<PeerServer> {
  const socket = join(tmpdir(), `nagaya-bench-${randomUUID().slice(0, 8)}`);
  const station = await session.holding(Station.start(program, placement));
  await station.ask('listen', { path: socket, ...listening });
  await session.holding(Promise.resolve({ end: () => rm(socket, { force: true }) }));
  return { socket, station };
}

export const echoServer = (session: Session, placement: Placement): Promise<PeerServer> =>
  peer(session, 'peers/line-server', placement, {});

/** `like`: an answer of Nagaya's, whose length it answers with. */
export const parseOnlyServer = (session: Session, placement: Placement, like: string): Promise<PeerServer> =>
  peer(session, 'peers/line-server', placement, { answer: like.slice(like.indexOf('"result"')) });

export const httpServer = (
  session: Session,
  placement: Placement,
  kind: 'http' | 'fastify',
  threads: number,
): Promise<PeerServer> => peer(session, 'peers/http-server', placement, { kind, threads });

const delivery = (): string => requestLine('ingress.deliver', { plugin: serviceId, event: eventAt(0) });

/** Lines of JSON-RPC over one connection. A refusal ends the run. */
export const lineLoad = (socket: string, requests: readonly string[], last?: string): LoadPlan => ({
  socket,
  requests,
  mark: '\n',
  refusal: '"code":',
  connections: 1,
  ...(last === undefined ? {} : { last }),
});

/** Publishing is answered when queued: a delivery at its end tells when all before it was handled. */
export const publishLoad = (socket: string, requests: readonly string[]): LoadPlan =>
  lineLoad(socket, requests, delivery());

/** HTTP answers in order, so that several connections keep a pool busier than one. */
export const httpLoad = (socket: string, connections: number): LoadPlan => ({
  socket,
  requests: [postRequest('/events', eventAt(0))],
  mark: 'HTTP/1.1 200',
  refusal: 'HTTP/1.1 5',
  connections,
});

export const httpConnections = 8;
export const httpWindow = 8;
