// A service that a webhook feeds: the daemon has verified who sends, keeps the secret to itself, and hands over each
// delivery once.
import { defineService } from 'nagaya/sdk';

const kept = 20;
let lines = [];

const branchOf = (ref) => ref.replace(/^refs\/(?:heads|tags)\//, '');

function lineFor({ ref, repository, pusher, commits }) {
  const who = pusher?.name ?? 'somebody';
  const count = commits.length === 1 ? '1 commit' : `${commits.length} commits`;
  return `${who} pushed ${count} to ${branchOf(ref)} of ${repository.full_name}`;
}

export const service = defineService({
  start() {
    lines = [];
  },

  handleIngress(event, ctx) {
    const line = lineFor(event.payload.body);
    ctx.log.info(line, { delivery: event.correlationId });
    lines = [...lines, line].slice(-kept);
    return { line };
  },

  status() {
    return { lines };
  },
});
