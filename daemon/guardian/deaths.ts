// What the guardian knows of the daemons that died under it.
import { openSync } from 'node:fs';
import type { Death, Lost } from '../../protocol/operations/daemon.ts';
import type { DaemonExit } from './daemon-process.ts';
import type { Escalated } from './wire.ts';

const keptDeaths = 20;

const nothingLost: Lost = { events: 0, begun: 0, calls: 0, inputs: 0, plugins: 0, byPlugin: [] };

export class Deaths {
  readonly accountDescriptor = openSync('/dev/null', 'r');
  readonly reportDescriptor = this.accountDescriptor;
  #deaths: Death[] = [];

  get told(): readonly Death[] {
    return this.#deaths;
  }

  get escalated(): readonly Escalated[] {
    return [];
  }

  /** A daemon is about to start. */
  begin(): void {}

  heard(_text: string, _pid: number | undefined): void {}

  forget(_plugin: string): void {}

  add({ code, signal }: DaemonExit): Death {
    const death: Death = { at: new Date().toISOString(), signal, ...(code === null ? {} : { exitCode: code }), suspects: [], lost: nothingLost };
    this.#deaths = [...this.#deaths, death].slice(-keptDeaths);
    return death;
  }

  /** The daemon after the last death listens. */
  back(backAfterMs: number): void {
    const last = this.#deaths.at(-1);
    if (last !== undefined) this.#deaths = [...this.#deaths.slice(0, -1), { ...last, backAfterMs }];
  }
}
