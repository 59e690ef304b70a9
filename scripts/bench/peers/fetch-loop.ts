// What a user would build otherwise for what a service sends: one fetch after the other, without any retry.
import { attend } from '../attendant.ts';
import { eventAt } from '../payload.ts';

attend({
  async flow({ url, durationMs }: { url: string; durationMs: number }): Promise<{ perSecond: number }> {
    const body = JSON.stringify(eventAt(0).payload);
    const beganMs = performance.now();
    let sent = 0;
    do {
      const { status } = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      if (status !== 204) throw new Error(`a request was answered with ${String(status)}`);
      sent += 1;
    } while (performance.now() - beganMs < durationMs);
    return { perSecond: (sent / (performance.now() - beganMs)) * 1000 };
  },
});
