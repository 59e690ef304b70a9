// The headings under which `nagaya --help` lists the commands.
export const groups = {
  daemon: 'The daemon:',
  plugins: 'Plugins and services:',
  use: 'Events and tools:',
  workers: 'Runtimes and workers:',
  see: 'What happens:',
  author: 'Writing plugins:',
  setup: 'Set-up:',
} as const;
