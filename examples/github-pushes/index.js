// A service that a webhook feeds and that tells a chat: the daemon has verified who sends, hands over each delivery once,
// and sends what this sends until the chat has it. Neither credential is known here.
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
    // In order for each repository, and one that is held up holds up no other.
    ctx.send('chat', { text: line }, { key: event.payload.body.repository.full_name });
    return { line };
  },

  status() {
    return { lines };
  },
});
