// What every view is made of: states, dialogs, tables in pages, charts.
import { html } from 'htm/preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';

export { html };

const marks = { running: '●', ready: '○', starting: '◐', stopping: '◑', stopped: '○', failed: '✕' };

export const State = ({ lifecycle }) =>
  lifecycle === undefined || lifecycle === null
    ? html`<span class="state">–</span>`
    : html`<span class="state" data-state=${lifecycle}><span aria-hidden="true">${marks[lifecycle] ?? ''}</span> ${lifecycle}</span>`;

/** A line of the last values, small enough for a table's cell. */
export function Spark({ values, label }) {
  const width = 80;
  const height = 20;
  const most = Math.max(1e-9, ...values);
  const points = values.map((value, index) => `${((index / Math.max(1, values.length - 1)) * width).toFixed(1)},${(height - 1 - (value / most) * (height - 2)).toFixed(1)}`);
  return html`<svg class="spark" role="img" aria-label=${label} viewBox="0 0 ${width} ${height}" width=${width} height=${height}>
    ${values.length > 1 && html`<polyline points=${points.join(' ')} fill="none" stroke="currentColor" stroke-width="1.5" />`}
  </svg>`;
}

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);

/** A chart over the last minutes, drawn again with every look. */
export function Chart({ title, times, values, unit }) {
  const place = useRef();
  const plot = useRef();
  useEffect(() => {
    const axis = { stroke: color('--quiet'), grid: { stroke: color('--line'), width: 1 }, ticks: { stroke: color('--line') }, font: '12px system-ui', size: 56 };
    plot.current = new uPlot(
      {
        width: place.current.clientWidth,
        height: 150,
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
        series: [{}, { stroke: color('--accent'), width: 2, fill: 'transparent', points: { show: false } }],
        axes: [{ ...axis, size: 30 }, axis],
      },
      [times, values],
      place.current,
    );
    const watch = new ResizeObserver(([{ contentRect }]) => plot.current?.setSize({ width: Math.max(100, contentRect.width), height: 150 }));
    watch.observe(place.current);
    return () => {
      watch.disconnect();
      plot.current.destroy();
      plot.current = undefined;
    };
  }, []);
  useEffect(() => plot.current?.setData([times, values]), [times]);
  const now = values.at(-1);
  return html`<figure class="chart">
    <figcaption>${title}: <strong>${now === undefined ? '–' : unit(now)}</strong></figcaption>
    <div ref=${place} role="img" aria-label="${title}, last minutes; now ${now === undefined ? 'unknown' : unit(now)}"></div>
  </figure>`;
}

/** Asks before something is done; what is lost by it is said. */
export function Confirm({ question, yes, done }) {
  const dialog = useRef();
  useEffect(() => dialog.current.showModal(), []);
  const close = (answer) => () => {
    dialog.current.close();
    done(answer);
  };
  return html`<dialog ref=${dialog} aria-labelledby="question" onCancel=${close(false)}>
    <p id="question">${question}</p>
    <div class="buttons">
      <button type="button" onClick=${close(false)}>No, go back</button>
      <button type="button" class="danger" id="confirm-yes" onClick=${close(true)}>${yes}</button>
    </div>
  </dialog>`;
}

export function Pager({ page, pages, choose, what }) {
  if (pages <= 1) return null;
  return html`<nav class="pager" aria-label="Pages of ${what}">
    <button type="button" disabled=${page === 0} onClick=${() => choose(page - 1)}>Back</button>
    <span>page ${page + 1} of ${pages}</span>
    <button type="button" disabled=${page >= pages - 1} onClick=${() => choose(page + 1)}>Next</button>
  </nav>`;
}

/** Asks again and again while it is shown; what it has stays while the daemon is away. */
export function useLook(ask, everyMs, dependencies) {
  const [found, setFound] = useState({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let over = false;
    let timer;
    const look = async () => {
      try {
        const value = await ask();
        if (!over) setFound({ value });
      } catch (error) {
        if (!over) setFound((last) => ({ ...last, error }));
      }
      if (!over && everyMs > 0) timer = setTimeout(look, everyMs);
    };
    void look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [...dependencies, turn]);
  return { ...found, again: () => setTurn((last) => last + 1) };
}
