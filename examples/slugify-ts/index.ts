// A tool in TypeScript: the cell loads this file as it is, by Node itself where it can and through tsx where that is
// installed.
import { defineTool } from 'nagaya/sdk';

interface Input {
  readonly title: string;
  readonly separator?: string;
  readonly maxLength?: number;
}

interface Output {
  readonly slug: string;
}

const spelledOut: Readonly<Record<string, string>> = { '&': ' and ', ß: 'ss', æ: 'ae', ø: 'o', ł: 'l', đ: 'd' };

/** Words that would go over the length are left out whole, where at least one fits. */
function joined(words: readonly string[], separator: string, maxLength: number): string {
  let slug = '';
  for (const word of words) {
    const longer = slug === '' ? word : `${slug}${separator}${word}`;
    if (longer.length > maxLength) return slug === '' ? word.slice(0, maxLength) : slug;
    slug = longer;
  }
  return slug;
}

const slugify = defineTool<Input, Output>(({ title, separator = '-', maxLength = 1000 }) => {
  const plain = title
    .toLowerCase()
    .replace(/[&ßæøłđ]/g, (character) => spelledOut[character] ?? '')
    .normalize('NFKD')
    .replace(/\p{M}/gu, '');
  return { slug: joined(plain.match(/[\p{L}\p{N}]+/gu) ?? [], separator, maxLength) };
});

export const tools = { slugify };
