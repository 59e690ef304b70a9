// Bounds that make sense only together. Kept out of the schema, so that each field can be described by itself.
import type { Issue } from '../../protocol/errors.ts';
import { memberOf } from './cluster.ts';
import { isLoopback } from './listener.ts';
import { type RemoteDaemonConfig, ownRuntimeIds } from './remote-daemons.ts';
import type { Config, Limits } from './schema.ts';

interface Ordered {
  readonly smaller: keyof Limits;
  readonly larger: keyof Limits;
  readonly strictly?: boolean;
  /** How often the smaller has to fit into the larger. */
  readonly times?: number;
  readonly because: string;
}

/** A control character of one byte is written as six. */
const mostJsonBytes = 6;

const order: readonly Ordered[] = [
  { smaller: 'lineBytes', larger: 'halfLineBytes', because: 'a line is unfinished until its end has come' },
  { smaller: 'eventBytes', larger: 'lineBytes', because: 'an event arrives in one line' },
  { smaller: 'toolInputBytes', larger: 'lineBytes', because: 'an input arrives in one line' },
  { smaller: 'toolOutputBytes', larger: 'answerBytes', because: 'an output leaves in one answer' },
  { smaller: 'workerInputBytes', larger: 'lineBytes', because: 'an input arrives in one line' },
  {
    smaller: 'workerInputBytes',
    larger: 'transcriptBytes',
    because: 'an input stands in the transcript before it runs',
  },
  { smaller: 'workerSayBytes', larger: 'transcriptBytes', because: 'what is said stands in the transcript' },
  {
    smaller: 'transcriptBytes',
    larger: 'answerBytes',
    times: mostJsonBytes,
    because: 'a page of it leaves in one answer, and in JSON a byte may take six',
  },
  { smaller: 'abortGraceMs', larger: 'killMs', strictly: true, because: 'a cell is asked before it is ended' },
  { smaller: 'killMs', larger: 'shutdownMs', strictly: true, because: 'cells end before the daemon does' },
];

export function crossChecks({ limits, http, webhooks, cluster, runtimes }: Config): Issue[] {
  return [
    ...orderIssues(limits),
    ...(http === undefined ? [] : httpIssues(http)),
    ...(webhooks === undefined ? [] : webhookIssues(webhooks)),
    ...(cluster === undefined || memberOf(cluster) !== undefined ? [] : [namelessMember]),
    ...remoteIssues(runtimes, cluster !== undefined),
  ];
}

const namelessMember: Issue = {
  path: 'cluster.member',
  message: "is missing: the machine's name cannot be used; write 1-63 characters of a-z 0-9 -",
};

/** Ids of the registry are unique, and a token is not sent through a network in which everybody can read it. */
function remoteIssues(daemons: readonly RemoteDaemonConfig[], inCluster: boolean): Issue[] {
  return daemons.flatMap(({ id, url, allowPlain }, index): Issue[] => {
    const path = `runtimes[${String(index)}]`;
    const first = daemons.findIndex((other) => other.id === id);
    const host = new URL(url).hostname;
    return [
      ...(ownRuntimeIds.includes(id)
        ? [{ path: `${path}.id`, message: `"${id}" is a runtime of this daemon itself; choose another id` }]
        : []),
      ...(first < index
        ? [{ path: `${path}.id`, message: `"${id}" is the id of runtimes[${String(first)}] already; choose another` }]
        : []),
      ...(inCluster && id.includes('.')
        ? [
            {
              path: `${path}.id`,
              message: 'must hold no dot where there is a cluster: ids with a dot are those of its members',
            },
          ]
        : []),
      ...(url.startsWith('http:') && !isLoopback(host.replace(/^\[|\]$/g, '')) && !allowPlain
        ? [
            {
              path: `${path}.url`,
              message: `${host} is another machine, and nothing is encrypted, the token neither; use https://, or set allowPlain of this entry to true`,
            },
          ]
        : []),
    ];
  });
}

function webhookIssues({ host, allowRemote, limits }: NonNullable<Config['webhooks']>): Issue[] {
  const issues: Issue[] = [];
  if (!isLoopback(host) && !allowRemote)
    issues.push({
      path: 'webhooks.host',
      message: `${host} can be reached from other machines, and nothing is encrypted; use 127.0.0.1 with a proxy in front, or set webhooks.allowRemote to true`,
    });
  if (limits.bodyBytes > limits.bodiesBytes)
    issues.push({
      path: 'webhooks.limits.bodyBytes',
      message: `${String(limits.bodyBytes)} must not be more than webhooks.limits.bodiesBytes (${String(limits.bodiesBytes)}), which bounds all bodies together`,
    });
  return issues;
}

function httpIssues({ host, allowRemote, token, readToken }: NonNullable<Config['http']>): Issue[] {
  const issues: Issue[] = [];
  if (!isLoopback(host) && !allowRemote)
    issues.push({
      path: 'http.host',
      message: `${host} can be reached from other machines, and nothing is encrypted; use 127.0.0.1, or set http.allowRemote to true`,
    });
  if (token !== undefined && token === readToken)
    issues.push({ path: 'http.readToken', message: 'must differ from http.token, which allows more' });
  return issues;
}

function orderIssues(limits: Limits): Issue[] {
  return order
    .filter(
      ({ smaller, larger, strictly, times = 1 }) =>
        limits[smaller] * times > limits[larger] || (strictly === true && limits[smaller] === limits[larger]),
    )
    .map(({ smaller, larger, strictly, times = 1, because }) => ({
      path: `limits.${smaller}`,
      message: `${String(limits[smaller])} must ${strictly === true ? 'be less than' : 'not be more than'} ${shareOf(times)}limits.${larger} (${String(limits[larger])}), because ${because}; lower it or raise the other`,
    }));
}

const shareOf = (times: number): string => (times === 1 ? '' : `1/${String(times)} of `);
