// What happened to the events of clustered services, as one history, and what in it breaks a promise. The trial writes
// such histories; a test plants violations in one.

export interface Accepted {
  readonly what: 'accepted';
  readonly service: string;
  readonly n: number;
  /** Of an event with a key: when its publisher began, and when it was told. */
  readonly ordered?: { readonly key: string; readonly beganMs: number; readonly toldMs: number };
}

/** What an event changed is in ctx.state: the `order`-th change there. */
export interface Committed {
  readonly what: 'committed';
  readonly service: string;
  /** The member's daemon and incarnation that changed it: another for each lease. */
  readonly tenure: string;
  readonly n: number;
  readonly order: number;
}

/** A command that an event sends has arrived. */
export interface Sent {
  readonly what: 'sent';
  readonly service: string;
  readonly n: number;
  /** Its Idempotency-Key. */
  readonly key: string;
}

/** A handler began an event, or came to its end; in the order in which it did so in this tenure. */
export interface Handled {
  readonly what: 'began' | 'ended';
  readonly service: string;
  readonly tenure: string;
  readonly n: number;
}

/** The fencing number that a tenure was seen to act under. */
export interface Granted {
  readonly what: 'granted';
  readonly service: string;
  readonly tenure: string;
  readonly fence: number;
}

export type HistoryLine = Accepted | Committed | Sent | Handled | Granted;

/** In words; none where every promise was kept. */
export function violations(history: readonly HistoryLine[]): string[] {
  const services = new Set(history.map(({ service }) => service));
  return [...services].flatMap((service) => {
    const own = history.filter((line) => line.service === service);
    const committed = own.filter((line) => line.what === 'committed').sort((one, other) => one.order - other.order);
    return [
      ...lost(service, own, committed),
      ...twice(service, committed),
      ...returned(service, committed),
      ...commands(service, own, committed),
      ...disordered(service, own, committed),
      ...handled(service, own, committed),
      ...fenced(service, own, committed),
    ];
  });
}

function lost(service: string, own: readonly HistoryLine[], committed: readonly Committed[]): string[] {
  const there = new Set(committed.map(({ n }) => n));
  return own.flatMap((line) =>
    line.what === 'accepted' && !there.has(line.n)
      ? [`${service}: the event ${String(line.n)} was accepted and has no effect`]
      : [],
  );
}

function twice(service: string, committed: readonly Committed[]): string[] {
  const seen = new Set<number>();
  const orders = new Set<number>();
  return committed.flatMap(({ n, order }) => {
    const found: string[] = [];
    if (seen.has(n)) found.push(`${service}: the event ${String(n)} has had its effect twice`);
    if (orders.has(order)) found.push(`${service}: two events are the change ${String(order)}`);
    seen.add(n);
    orders.add(order);
    return found;
  });
}

/** Once another tenure has committed, an earlier one commits nothing more: it would be under an old number. */
function returned(service: string, committed: readonly Committed[]): string[] {
  const over = new Set<string>();
  let present: string | undefined;
  return committed.flatMap(({ tenure, n }) => {
    if (tenure === present) return [];
    if (present !== undefined) over.add(present);
    present = tenure;
    return over.has(tenure)
      ? [`${service}: ${tenure} committed the event ${String(n)} after another instance had taken over`]
      : [];
  });
}

/** An instance handles one event at a time, and what it commits has come to its end there. */
function handled(service: string, own: readonly HistoryLine[], committed: readonly Committed[]): string[] {
  const lines = own.filter((line): line is Handled => line.what === 'began' || line.what === 'ended');
  if (lines.length === 0) return [];
  const running = new Map<string, number>();
  const over = new Set<string>();
  const found: string[] = [];
  for (const { what, tenure, n } of lines) {
    const before = running.get(tenure);
    if (what === 'began') {
      if (before !== undefined)
        found.push(`${service}: ${tenure} began the event ${String(n)} while the event ${String(before)} ran`);
      running.set(tenure, n);
    } else {
      if (before !== n) found.push(`${service}: ${tenure} ended the event ${String(n)}, which did not run there`);
      running.delete(tenure);
      over.add(`${tenure} ${String(n)}`);
    }
  }
  for (const { tenure, n } of committed)
    if (!over.has(`${tenure} ${String(n)}`))
      found.push(`${service}: ${tenure} committed the event ${String(n)}, whose handler did not end there`);
  return found;
}

/** Once something was committed under a number, nothing is committed under a lower one. */
function fenced(service: string, own: readonly HistoryLine[], committed: readonly Committed[]): string[] {
  const fences = new Map<string, number>();
  const found: string[] = [];
  for (const line of own) {
    if (line.what !== 'granted') continue;
    const { tenure, fence } = line;
    const known = fences.get(tenure);
    if (known !== undefined && known !== fence)
      found.push(`${service}: ${tenure} acted under ${String(known)} and under ${String(fence)}`);
    fences.set(tenure, fence);
  }
  let highest = 0;
  for (const { tenure, n } of committed) {
    const fence = fences.get(tenure);
    // It was over before anybody looked.
    if (fence === undefined) continue;
    if (fence < highest)
      found.push(
        `${service}: ${tenure} committed the event ${String(n)} under ${String(fence)}, after ${String(highest)}`,
      );
    highest = Math.max(highest, fence);
  }
  return found;
}

/** What was accepted before another one of the same key was published has its effect before it. */
function disordered(service: string, own: readonly HistoryLine[], committed: readonly Committed[]): string[] {
  const accepted = new Map(own.flatMap((line) => (line.what === 'accepted' ? [[line.n, line.ordered] as const] : [])));
  /** By the key, of those that have had their effect, the one that was published last. */
  const last = new Map<string, { readonly n: number; readonly beganMs: number }>();
  return committed.flatMap(({ n }) => {
    const ordered = accepted.get(n);
    if (ordered === undefined) return [];
    const { key, beganMs, toldMs } = ordered;
    const before = last.get(key);
    if (before === undefined || beganMs > before.beganMs) last.set(key, { n, beganMs });
    return before !== undefined && toldMs < before.beganMs
      ? [
          `${service}: the event ${String(n)} of the key ${key} had its effect behind the later event ${String(before.n)}`,
        ]
      : [];
  });
}

/** Each command arrives at least once, always under one key, and only of an event that has had its effect. */
function commands(service: string, own: readonly HistoryLine[], committed: readonly Committed[]): string[] {
  const sent = own.filter((line) => line.what === 'sent');
  if (sent.length === 0) return [];
  const there = new Set(committed.map(({ n }) => n));
  const keys = new Map<number, string>();
  const found: string[] = [];
  for (const { n, key } of sent) {
    if (!there.has(n)) found.push(`${service}: a command of the event ${String(n)} arrived, which has no effect`);
    if ((keys.get(n) ?? key) !== key) found.push(`${service}: the command of the event ${String(n)} has two keys`);
    keys.set(n, key);
  }
  for (const n of there)
    if (!keys.has(n)) found.push(`${service}: the command of the event ${String(n)} never arrived`);
  return found;
}
