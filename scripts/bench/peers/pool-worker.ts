// What piscina and tinypool run in their threads.
export { handle as default } from './handler.ts';
