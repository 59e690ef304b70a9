// The validator of JSON Schemas, as a file of its own: a cell that has a schema to check loads it as one bundled file
// instead of the hundred small ones of its package.
export { Ajv2020 } from 'ajv/dist/2020.js';
