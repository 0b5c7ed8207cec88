// SPDX-License-Identifier: Apache-2.0
// The schemas of docs/schemas, compiled, and the form in which results are counted.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const Ajv = require('ajv');

const root = path.resolve(__dirname, '../..');
const folder = path.join(root, 'docs/schemas');

function filesBelow(directory) {
  return fs.readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(directory, entry.name);
    return entry.isDirectory() ? filesBelow(file) : [file];
  });
}

/** Name, as in "failure/invalid.json", to schema. */
function loadSchemas() {
  const files = filesBelow(folder).sort();
  return new Map(files.map((file) => [path.relative(folder, file), JSON.parse(fs.readFileSync(file, 'utf8'))]));
}

/** Name to validating function. Strict: an unknown keyword, or one that cannot apply, is an error. */
function compileSchemas() {
  const schemas = loadSchemas();
  const ajv = new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: false });
  for (const [name, schema] of schemas) ajv.addSchema(schema, name);
  return new Map([...schemas.keys()].map((name) => [name, ajv.getSchema(name)]));
}

function namesIn(schemas, kind) {
  return [...schemas.keys()].filter((name) => name.startsWith(`${kind}/`)).map((name) => path.basename(name, '.json'));
}

/** Runs claims in turn; a claim returns the list of what speaks against it, or throws. */
async function runClaims(claims) {
  let failed = false;
  for (const [name, claim] of Object.entries(claims)) {
    console.log(`[ RUN      ] ${name}`);
    let objections;
    try {
      objections = await claim();
    } catch (error) {
      objections = [error.stack];
    }
    for (const objection of objections.slice(0, 20)) console.log(`  ${objection}`);
    if (objections.length > 20) console.log(`  and ${objections.length - 20} more`);
    console.log(objections.length === 0 ? `[       OK ] ${name}` : `[  FAILED  ] ${name}`);
    failed ||= objections.length > 0;
  }
  process.exitCode = failed ? 1 : 0;
}

module.exports = { root, folder, loadSchemas, compileSchemas, namesIn, runClaims };
