// Holds a document on standard input against the schema of OpenAPI 3.1: `node openapi.mjs < openapi.json`.

import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { require } from './browser.mjs';

const { Validator } = await import(pathToFileURL(require.resolve('@seriousme/openapi-schema-validator')));
const validator = new Validator();
const { valid, errors } = await validator.validate(JSON.parse(await text(process.stdin)));
if (!valid) {
  console.error(JSON.stringify(errors, null, 2));
  process.exit(1);
}
console.log(`ok: OpenAPI ${validator.version}`);
