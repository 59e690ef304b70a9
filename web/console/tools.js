// A plugin's tools, each with a form made from its input schema, to try it. What a schema says that a form cannot show
// is written as JSON.
import { useState } from 'preact/hooks';
import { at, get, post, wordsOf } from './api.js';
import { html, useLook } from './parts.js';
import { duration } from './words.js';

const fieldsOf = (schema) => (schema?.type === 'object' || schema?.properties !== undefined ? Object.entries(schema.properties ?? {}) : undefined);
const simple = new Set(['string', 'number', 'integer', 'boolean']);

function Field({ name, schema, required, id }) {
  const label = html`<span>${name}${required ? '' : ' (optional)'}</span>`;
  const hint = schema.description === undefined ? null : html`<small class="hint" id="${id}-hint">${schema.description}</small>`;
  const common = { id, name, 'aria-describedby': hint === null ? undefined : `${id}-hint` };
  if (Array.isArray(schema.enum))
    return html`<label>${label}<select ...${common}>${!required && html`<option value=""></option>`}${schema.enum.map((value) => html`<option key=${JSON.stringify(value)} value=${JSON.stringify(value)}>${String(value)}</option>`)}</select>${hint}</label>`;
  if (schema.type === 'boolean') return html`<label class="check"><input type="checkbox" ...${common} checked=${schema.default === true} /> ${label}${hint}</label>`;
  if (schema.type === 'number' || schema.type === 'integer')
    return html`<label>${label}<input type="number" ...${common} required=${required} min=${schema.minimum} max=${schema.maximum} step=${schema.type === 'integer' ? 1 : 'any'} value=${schema.default} />${hint}</label>`;
  if (schema.type === 'string')
    return html`<label>${label}<input type="text" ...${common} required=${required && (schema.minLength ?? 0) > 0} maxlength=${schema.maxLength} value=${schema.default ?? ''} />${hint}</label>`;
  return html`<label>${label} as JSON<textarea rows="3" ...${common} required=${required}></textarea>${hint}</label>`;
}

function read(form, fields, required) {
  const input = {};
  for (const [name, schema] of fields) {
    const field = form.elements[name];
    if (schema.type === 'boolean' && !Array.isArray(schema.enum)) input[name] = field.checked;
    else if (field.value === '' && !required.includes(name)) continue;
    else if (schema.type === 'string' && !Array.isArray(schema.enum)) input[name] = field.value;
    else if (schema.type === 'number' || schema.type === 'integer') input[name] = Number(field.value);
    else input[name] = JSON.parse(field.value);
  }
  return input;
}

function Tool({ plugin, tool, readOnly }) {
  const [answer, setAnswer] = useState();
  const [busy, setBusy] = useState(false);
  const fields = fieldsOf(tool.inputSchema);
  const required = tool.inputSchema?.required ?? [];
  const asForm = fields !== undefined && fields.every(([, schema]) => typeof schema === 'object' && (simple.has(schema.type) || schema.type !== undefined || Array.isArray(schema.enum)));
  const run = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const input = asForm ? read(event.target, fields, required) : JSON.parse(event.target.elements.json.value || 'null');
      const { output, durationMs } = await post(at('tools', plugin, tool.name), { input });
      setAnswer({ text: JSON.stringify(output, null, 2), note: `answered in ${duration(durationMs)}` });
    } catch (error) {
      setAnswer({ bad: error instanceof SyntaxError ? `This is not JSON: ${error.message}` : wordsOf(error) });
    }
    setBusy(false);
  };
  return html`<details class="tool" data-tool=${tool.name}>
    <summary>${tool.name} <small>${tool.description}</small></summary>
    <form onSubmit=${run}>
      ${asForm
        ? fields.map(([name, schema]) => html`<${Field} key=${name} id="${tool.name}-${name}" name=${name} schema=${schema} required=${required.includes(name)} />`)
        : html`<label>Input as JSON<textarea name="json" rows="4"></textarea></label>`}
      <button type="submit" disabled=${busy || readOnly}>${busy ? 'Calling …' : 'Call'}</button>
    </form>
    <div role="status">${answer?.bad !== undefined ? html`<p class="bad">${answer.bad}</p>` : answer !== undefined && html`<p>${answer.note}</p><pre tabindex="0">${answer.text}</pre>`}</div>
  </details>`;
}

export function Tools({ plugin, readOnly }) {
  const { value, error } = useLook(() => get(`/api/tools?plugin=${encodeURIComponent(plugin)}`), 0, [plugin]);
  if (value === undefined) return html`<p>${error === undefined ? 'Reading …' : wordsOf(error)}</p>`;
  return value.tools.map((tool) => html`<${Tool} key=${tool.name} plugin=${plugin} tool=${tool} readOnly=${readOnly} />`);
}
