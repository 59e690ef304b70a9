// What comes from a tool's cell, checked by hand: it comes from where the plugin lives, so only the expected shapes
// are let through.
import { MessagePort } from 'node:worker_threads';
import {
  type AnswerMessage,
  type CallProgressMessage,
  type CellPhase,
  type LastAnswerMessage,
  type ProgressMessage,
  type SeatMessage,
  type ToolAnswer,
  type ToolCellMessage,
  type ToolErrorCode,
  progressMessageLength,
} from '../../../protocol/cell/tool-messages.ts';
import { isCellMessage } from '../../cells/cell-message.ts';
import { type Fields, isFields } from '../../../protocol/fields.ts';
import { isAmount, isCount, isText } from '../../isolates/untrusted-values.ts';

const answerCodes: readonly ToolErrorCode[] = [
  'tool_input_invalid',
  'tool_output_invalid',
  'tool_failed',
  'payload_too_large',
];

const phases: readonly CellPhase[] = ['compiling', 'checkingInput', 'importing', 'running', 'checkingOutput'];

export function isToolAnswer(value: unknown): value is ToolAnswer {
  if (!isFields(value) || typeof value['durationMs'] !== 'number') return false;
  if (value['ok'] === true) return typeof value['json'] === 'string';
  const { error } = value;
  return (
    value['ok'] === false &&
    isFields(error) &&
    answerCodes.includes(error['code'] as ToolErrorCode) &&
    typeof error['message'] === 'string' &&
    isFields(error['details'])
  );
}

export function isSeatMessage(value: unknown): value is SeatMessage {
  return (
    isFields(value) &&
    value['type'] === 'seat' &&
    isCount(value['threadId']) &&
    value['port'] instanceof MessagePort &&
    value['register'] instanceof SharedArrayBuffer
  );
}

const isAnswer = (value: Fields): value is Fields & (AnswerMessage | LastAnswerMessage) =>
  (value['type'] === 'answer' || value['type'] === 'lastAnswer') &&
  isCount(value['call']) &&
  isToolAnswer(value['answer']);

const isProgress = (value: Fields): value is Fields & ProgressMessage =>
  value['type'] === 'progress' && isCount(value['call']) && phases.includes(value['phase'] as CellPhase);

const isOptionalAmount = (value: unknown): boolean => value === undefined || isAmount(value);

const isCallProgress = (value: Fields): value is Fields & CallProgressMessage => {
  const { progress } = value;
  if (value['type'] !== 'callProgress' || !isCount(value['call']) || !isFields(progress)) return false;
  const { message } = progress;
  return (
    isAmount(progress['done']) &&
    isOptionalAmount(progress['total']) &&
    (message === undefined || (isText(message) && message.length <= progressMessageLength))
  );
};

export function isToolCellMessage(value: unknown): value is ToolCellMessage {
  if (!isFields(value)) return false;
  if (isAnswer(value) || isProgress(value) || isCallProgress(value)) return true;
  if (!isCellMessage(value)) return false;
  return value.type === 'log' || value.type === 'logDropped' || value.type === 'crash';
}
