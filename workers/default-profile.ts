// The profile of `builtin:default`, which a worker runs that asked for none: it has no tools and thinks nothing; it
// only says that the input has arrived, so that a worker without a plugin can be seen to work.
import type { Profile } from './sdk/index.ts';

const shownLength = 80;

function onOneLine(text: string): string {
  const characters = [...text.trim().replace(/\s+/g, ' ')];
  return characters.length > shownLength ? `${characters.slice(0, shownLength).join('')}…` : characters.join('');
}

export const profiles: Readonly<Record<'default', Profile>> = {
  default: {
    onInput({ content }, ctx) {
      ctx.say(`Received: ${onOneLine(content)}`);
    },
  },
};
