// What monitoring asks for by plain paths, beside the operations: metrics, and whether the daemon is live and ready.
import type { ServerResponse } from 'node:http';
import type { Health } from '../../../protocol/health.ts';
import { asHostError } from '../../../protocol/errors.ts';
import { sendJson, sendProblem, sendText } from './http-answer.ts';

export interface Reports {
  health(): Health;
  metrics(): Promise<string>;
}

type Send = (reports: Reports, response: ServerResponse, inFull: boolean) => void;

const prometheusType = 'text/plain; version=0.0.4; charset=utf-8';
const unavailable = 503;

const paths: Readonly<Record<string, Send>> = {
  '/metrics': (reports, response) =>
    void reports.metrics().then(
      (text) => sendText(response, text, prometheusType),
      (thrown: unknown) => sendProblem(response, asHostError(thrown)),
    ),
  '/livez': (_reports, response) => sendJson(response, JSON.stringify({ live: true })),
  '/readyz': (reports, response, inFull) => {
    const { live, ready, reasons } = reports.health();
    sendJson(
      response,
      JSON.stringify({ live, ready, ...(inFull ? { reasons } : {}) }),
      ready ? undefined : unavailable,
    );
  },
};

export const isReportPath = (path: string): boolean => Object.hasOwn(paths, path);

/** `inFull`: with what names plugins. */
export function sendReport(path: string, reports: Reports, response: ServerResponse, inFull = true): void {
  paths[path]?.(reports, response, inFull);
}
