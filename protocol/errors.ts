/* eslint max-lines: off -- The registry is as long as the list of errors. */
// The one registry of errors: every refusal of the socket, of HTTP and of the command is a row here, so that a
// caller can rely on `code` and find the remedy. It must stay free of other imports: cells load it too.

export interface ErrorKind {
  /** The number JSON-RPC carries beside the code. */
  readonly rpc: number;
  readonly status: number;
  readonly meaning: string;
  readonly remedy: string;
}

/* @__NO_SIDE_EFFECTS__ */
const kind = (rpc: number, status: number, meaning: string, remedy: string): ErrorKind => ({
  rpc,
  status,
  meaning,
  remedy,
});

/** A code that retires keeps its number and is never used again for another meaning. */
export const errorKinds = {
  invalid_request: kind(
    -32600,
    400,
    'The request is not valid JSON, not JSON-RPC, or its parameters do not fit.',
    'Correct the field that `details.issues` names.',
  ),
  method_not_found: kind(
    -32601,
    404,
    'No such operation or path.',
    'See `/api/openapi.json` or `nagaya --help` for what there is.',
  ),
  internal: kind(
    -32603,
    500,
    'The daemon failed in a way it did not foresee.',
    "Read the daemon's log at the time given and report it.",
  ),
  payload_too_large: kind(
    -32001,
    413,
    'The request, event, input or result is larger than its bound.',
    'Send less, or raise the bound that `details.limit` names in the configuration.',
  ),
  invalid_identifier: kind(
    -32002,
    400,
    'An identifier has characters or a length that identifiers do not have.',
    'Use the form that `details.expected` shows.',
  ),
  too_many_requests: kind(
    -32003,
    429,
    'As many calls, connections, streams or unfinished requests are open as there may be.',
    'Wait for answers or end what is no longer needed before asking for more, or raise the bound that `details.limit` names.',
  ),
  shutting_down: kind(
    -32004,
    503,
    'The daemon is shutting down and takes no new work.',
    'Connect again when it has been restarted.',
  ),
  unauthorized: kind(
    -32005,
    401,
    'The request carries no valid token.',
    'Send the configured token as a bearer token.',
  ),
  forbidden: kind(-32006, 403, 'This caller may not do this.', 'Use the unix socket, or a token that allows it.'),
  limit_too_large: kind(
    -32007,
    400,
    'A page or limit larger than the largest allowed was asked for.',
    'Ask for at most `details.maximum`.',
  ),
  unsupported_operation: kind(
    -32008,
    501,
    'This daemon, runtime or plugin does not do this.',
    'Use what `details.instead` names.',
  ),
  config_invalid: kind(
    -32009,
    400,
    'The configuration of the daemon is not valid.',
    'Run `nagaya config check`: it names each fault and its remedy.',
  ),

  plugin_not_found: kind(
    -32010,
    404,
    'No plugin with this id is loaded.',
    'See `nagaya plugins`; load it with `nagaya load DIR`.',
  ),
  plugin_invalid: kind(
    -32011,
    422,
    "The plugin's folder or manifest is not valid.",
    'Run `nagaya check DIR`: it names each fault and its remedy.',
  ),
  plugin_already_loaded: kind(
    -32012,
    409,
    'A plugin with this id is loaded already.',
    'Unload it first with `nagaya unload ID`.',
  ),
  plugin_disabled: kind(
    -32013,
    409,
    'The configuration disables this plugin.',
    'Set `plugins.overrides.<id>.enabled` to true and start the daemon again.',
  ),

  invalid_event: kind(
    -32020,
    400,
    'The event is malformed, or the service declares no such ingress or kind.',
    'Correct what `details.issues` names.',
  ),
  queue_full: kind(
    -32021,
    429,
    "The service's ingress queue is at its capacity.",
    'Try again after `details.retryAfterMs`, or publish with `wait` to be held until there is room, or raise the bound that the message names.',
  ),
  service_unavailable: kind(
    -32022,
    503,
    'The service is not in a state that allows this.',
    'See `details.lifecycle`; start it with `nagaya start ID`.',
  ),
  service_failed: kind(
    -32023,
    503,
    'The service has failed and is not coming back by itself.',
    'See `nagaya status ID` for the cause; start it again with `nagaya start ID`.',
  ),
  service_stopped: kind(-32024, 409, 'The service was stopped, or is stopping.', 'Start it with `nagaya start ID`.'),
  dispatch_timeout: kind(
    -32025,
    504,
    'The event or input was not handled within its deadline.',
    'See `details.phase` for where the time went; raise `service.timeouts.handleMs`, or `timeoutMs` of the profile, if the work needs longer.',
  ),
  dispatch_failed: kind(
    -32026,
    502,
    "The plugin's handler threw, rejected, or returned what cannot be sent.",
    "Read `details.cause`: it is the plugin's own error.",
  ),
  cell_crashed: kind(
    -32027,
    502,
    "The plugin's cell ended while it was needed.",
    'Read `details.cause` and `nagaya logs ID`.',
  ),
  start_timeout: kind(
    -32028,
    504,
    'The plugin did not start within its deadline.',
    'See `details.phase`; raise `service.timeouts.startMs` if it needs longer.',
  ),
  start_failed: kind(
    -32029,
    502,
    "The plugin's module could not be imported, lacks what the manifest promises, or failed to start.",
    "Read `details.cause`: it is the plugin's own error.",
  ),
  stop_timeout: kind(
    -32030,
    504,
    'The service did not stop within its deadline and its cell was ended.',
    "Make the plugin's stop return sooner, or raise `service.timeouts.stopMs`.",
  ),
  stop_failed: kind(
    -32031,
    502,
    "The plugin's stop threw or rejected; its cell was ended all the same.",
    "Read `details.cause`: it is the plugin's own error.",
  ),
  payload_invalid: kind(
    -32034,
    400,
    "The event's payload does not fit the `payloadSchema` of its ingress.",
    'Correct what `details.issues` names.',
  ),
  dead_letter_not_found: kind(
    -32032,
    404,
    'The service has no dead letter with this id.',
    'See `nagaya dead-letters list ID`.',
  ),
  dead_letter_busy: kind(
    -32033,
    409,
    'The dead letter is being replayed, and the replay has no outcome yet.',
    'Wait for the event that `details.eventId` names.',
  ),

  tool_not_found: kind(-32040, 404, 'The plugin has no such tool.', 'See `nagaya tools`.'),
  tool_input_invalid: kind(
    -32041,
    400,
    "The input does not fit the tool's input schema.",
    'Correct what `details.issues` names.',
  ),
  tool_output_invalid: kind(
    -32042,
    502,
    "The tool's result does not fit its output schema or cannot be sent as JSON.",
    'Correct the tool: `details` names what is wrong.',
  ),
  tool_timeout: kind(
    -32043,
    504,
    'The tool did not answer within its deadline.',
    "See `details.phase` for where the time went; raise the tool's `timeoutMs` if the work needs longer, or `limits.toolStartMs` where the phase is `starting` or `compiling`.",
  ),
  tool_failed: kind(
    -32044,
    502,
    'The tool threw, rejected, or could not be imported.',
    "Read `details.cause`: it is the plugin's own error.",
  ),
  tool_crashed: kind(
    -32045,
    502,
    "The tool's cell ended during the call.",
    'Read `details.cause` and `nagaya logs ID`.',
  ),
  tool_cancelled: kind(
    -32046,
    409,
    'The call was cancelled.',
    'Nothing to fix: the caller or its connection asked for it.',
  ),
  tool_overloaded: kind(
    -32047,
    429,
    "As many calls of this plugin's tools are waiting as may wait.",
    'Try again after `details.retryAfterMs`, or raise the bound that the message names.',
  ),

  runtime_not_found: kind(-32050, 404, 'No runtime with this id is registered.', 'See `nagaya runtimes`.'),
  runtime_unavailable: kind(
    -32051,
    503,
    'The runtime does not answer at the moment.',
    'Try again later; see its diagnostics.',
  ),
  worker_not_found: kind(
    -32052,
    404,
    'The runtime has no worker with this id.',
    'See `nagaya workers --runtime RUNTIME`; an id is always given whole.',
  ),
  worker_busy: kind(
    -32053,
    429,
    'The worker has as many inputs pending as it may.',
    'Try again after `details.retryAfterMs`, or raise the bound that the message names.',
  ),
  worker_stopped: kind(-32054, 409, 'The worker was stopped.', 'Make a new one with `nagaya worker new`.'),
  profile_not_found: kind(
    -32055,
    404,
    'No profile with this name is offered.',
    'See `nagaya runtimes RUNTIME`: it lists the profiles; or leave the profile out.',
  ),
  runtime_full: kind(
    -32056,
    429,
    'The runtime has as many workers as it may, and all of them are in use.',
    'Stop one that is no longer needed with `nagaya worker stop WORKER`, or raise `limits.workers`.',
  ),
  input_not_found: kind(
    -32057,
    404,
    'The worker has no input with this eventId, or no longer keeps it.',
    'See the `eventId` of the items in `nagaya worker transcript WORKER`.',
  ),

  interrupted: kind(
    -32058,
    503,
    'The daemon ended while the input ran; it was not run again.',
    'Send the input again if it may run a second time.',
  ),

  storage_full: kind(
    -32060,
    507,
    'Nothing more can be stored: the file system of the state folder is full, or `limits.storeBytes` is reached.',
    'Free space on the file system, discard what is no longer needed, or raise the bound that `details.limit` names; then try again.',
  ),
  storage_failed: kind(
    -32061,
    503,
    'The store does not work at the moment: its disk reports errors, does not answer, or cannot be written. What was to be stored may or may not have been.',
    'See `nagaya store status` for the cause; try again when it is over.',
  ),

  state_too_large: kind(
    -32062,
    413,
    'What a plugin keeps in `ctx.state` would be larger than its bound, or have too many keys. It is thrown by `ctx.state.set`.',
    'Keep less there, or raise the bound that `details.limit` names in the configuration.',
  ),
  source_not_found: kind(
    -32070,
    404,
    'The service declares no source with this name.',
    'See `nagaya sources ID` for what it declares.',
  ),

  output_not_found: kind(
    -32063,
    404,
    'The service declares no output of this name.',
    'Declare it under `service.outputs` in plugin.json, or use one of the names in `details.outputs`.',
  ),
  command_too_large: kind(
    -32064,
    413,
    'What `ctx.send` was given is larger than its bound.',
    'Send less, or raise the bound that `details.limit` names in the configuration.',
  ),
  too_many_commands: kind(
    -32065,
    429,
    'One event sends more commands than it may.',
    'Send fewer in one event, or raise the bound that `details.limit` names in the configuration.',
  ),
  hops_exceeded: kind(
    -32066,
    508,
    'Events led to further events by outputs more often than they may: plugins most likely send to each other in a circle.',
    'Break the circle, or raise the bound that `details.limit` names in the configuration.',
  ),
  output_unreachable: kind(
    -32068,
    502,
    'What an output sends to cannot be reached, or could not take the command at the moment.',
    'See the message for the status or the code of the system; the command is tried again until its time is over.',
  ),
  output_refused: kind(
    -32069,
    502,
    'What an output sends to has refused the command for good.',
    'Correct the URL, the credential or what the plugin sends, then run `nagaya outputs retry`.',
  ),
  credential_missing: kind(
    -32071,
    500,
    'A credential that an output names cannot be had.',
    'Set the variable in the environment of the daemon, or correct the file that the configuration names.',
  ),
  package_missing: kind(
    -32074,
    500,
    'An optional package that a source or an output needs is not installed.',
    'Install it beside nagaya, for example with `npm install mqtt`, and restart the daemon.',
  ),
  command_not_found: kind(
    -32067,
    404,
    'The output has no dead letter of this id.',
    'List them with `nagaya outputs PLUGIN OUTPUT`.',
  ),

  daemon_unreachable: kind(
    -32090,
    503,
    'No daemon answers at the socket.',
    'Start one with `nagaya serve`, or name its socket with --socket.',
  ),
  connection_closed: kind(
    -32091,
    503,
    'The connection ended before the answer came.',
    'Connect again; whether the request took effect is not known.',
  ),
  already_running: kind(
    -32092,
    409,
    'A daemon answers at this socket already.',
    'Use it, stop it with `nagaya shutdown`, or name another socket with --socket.',
  ),
  socket_unusable: kind(
    -32093,
    500,
    'The control socket cannot be made at this path.',
    'Fix what `details.reason` names, or name another socket with --socket.',
  ),
  port_unusable: kind(
    -32094,
    500,
    'The port for browsers cannot be listened on.',
    'Fix what `details.reason` names, or set another `http.port`; 0 takes any free one.',
  ),
  guardian_version: kind(
    -32095,
    500,
    'The guardian that runs is of another version than what is installed.',
    'Stop the guardian with `nagaya shutdown` or a signal, and start `nagaya serve` again.',
  ),
  state_in_use: kind(
    -32097,
    409,
    'Another daemon uses this state folder.',
    'Stop the daemon with the process id in `details.pid`, or name another folder with `nagaya serve --state FOLDER`.',
  ),
  state_unusable: kind(
    -32096,
    500,
    'The state folder cannot be written.',
    'Fix what `details.reason` names, or name another folder with `stateFolder` or `NAGAYA_STATE`.',
  ),
  cluster_unavailable: kind(
    -32098,
    503,
    'The NATS server of the cluster is away, or did not answer in time.',
    'Look at `nagaya cluster status`; what waits goes on by itself when the server is back.',
  ),
  cluster_member_taken: kind(
    -32099,
    409,
    'Another daemon of the cluster has the same member name.',
    'Set another `cluster.member` in the configuration and restart the daemon.',
  ),
  member_not_found: kind(
    -32100,
    404,
    'No member of the cluster has this name.',
    'See `nagaya cluster members` for those there are.',
  ),
  member_unavailable: kind(
    -32101,
    503,
    'The member of the cluster is not there, or did not answer in time.',
    'Try again later, or see `nagaya cluster members`; whether the request took effect is not known.',
  ),
  member_version: kind(
    -32102,
    409,
    'The members of the cluster are of versions that do not understand each other.',
    'Upgrade the older member.',
  ),
  runtime_unreachable: kind(
    -32103,
    503,
    'The daemon that has the runtime cannot be reached over the network.',
    'Start that daemon, or correct `url` of the entry in `runtimes`; `details.cause` names what the network said.',
  ),
  runtime_unauthorized: kind(
    -32104,
    502,
    'The daemon that has the runtime does not accept the token, or there is no token.',
    'Correct what `tokenFile` of the entry in `runtimes` holds, then run `nagaya reload-config`.',
  ),
  runtime_timeout: kind(
    -32105,
    504,
    'The daemon that has the runtime did not answer in time; whether the request took effect is not known.',
    'Try again: with the same `requestKey` or `inputId` nothing happens twice.',
  ),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

/**
 * The same request may succeed later without being changed. Apart from the rows, because it is all that cells need of
 * them: the words of the rows are left out of a cell's file.
 */
const retryableCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'too_many_requests',
  'shutting_down',
  'queue_full',
  'service_unavailable',
  'dead_letter_busy',
  'tool_crashed',
  'tool_overloaded',
  'runtime_unavailable',
  'worker_busy',
  'runtime_full',
  'interrupted',
  'storage_full',
  'storage_failed',
  'output_unreachable',
  'credential_missing',
  'package_missing',
  'daemon_unreachable',
  'connection_closed',
  'cluster_unavailable',
  'member_unavailable',
  'runtime_unreachable',
  'runtime_timeout',
]);

export const isRetryable = (code: ErrorCode): boolean => retryableCodes.has(code);

export const errorCodes = /* @__PURE__ */ Object.keys(errorKinds) as ErrorCode[];

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorKinds, code);
}

/** One thing wrong with what was sent, by the path of the field. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

export type ErrorDetails = Readonly<Record<string, unknown>>;

/** An error as it stands on every wire and in every record. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly details: Record<string, unknown>;
}

export class HostError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    // An answer to a caller, who may be refused a hundred thousand times a second: where the daemon was then helps
    // nobody, and to take it down costs ten times the rest.
    const { stackTraceLimit } = Error;
    // In a cell the plugin may have frozen it.
    Reflect.set(Error, 'stackTraceLimit', 0);
    super(message);
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
    this.name = 'HostError';
    this.code = code;
    this.details = details;
  }

  get retryable(): boolean {
    return isRetryable(this.code);
  }

  toWire(): WireError {
    return { code: this.code, message: this.message, retryable: this.retryable, details: { ...this.details } };
  }
}

/** What a caller may see of any thrown value: a typed error as it is, anything else without its insides. */
export function asHostError(thrown: unknown): HostError {
  return thrown instanceof HostError
    ? thrown
    : new HostError('internal', 'The daemon failed unexpectedly; its log has the cause.', {
        at: new Date().toISOString(),
      });
}

/** A message that says what the field is or must be follows its path as a sentence does: "payload.ref is missing". */
const sentence = /^(?:is|must|has|does|fits) /;

export function issueText({ path, message }: Issue): string {
  if (sentence.test(message)) return `${path === '' ? 'it' : path} ${message}`;
  return path === '' ? message : `${path}: ${message}`;
}

export function invalid(code: ErrorCode, subject: string, issues: readonly Issue[]): HostError {
  const first = issues[0];
  const where = first === undefined ? '' : `: ${issueText(first)}`;
  const more = issues.length > 1 ? ` (and ${String(issues.length - 1)} more)` : '';
  return new HostError(code, `${subject} is not valid${where}${more}.`, { issues });
}
