// SPDX-License-Identifier: Apache-2.0
// Loads and compiles the schemas of docs/schemas, and prints the results of checks in the form that
// script/lib/count_tests counts.
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

/** Maps the name of a schema, such as "failure/invalid.json", to the schema. */
function loadSchemas() {
  const files = filesBelow(folder).sort();
  return new Map(files.map((file) => [path.relative(folder, file), JSON.parse(fs.readFileSync(file, 'utf8'))]));
}

/** Maps names to validating functions. Strict: an unknown keyword, or one that cannot apply, is an error. */
function compileSchemas() {
  const schemas = loadSchemas();
  const ajv = new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: false });
  for (const [name, schema] of schemas) ajv.addSchema(schema, name);
  return new Map([...schemas.keys()].map((name) => [name, ajv.getSchema(name)]));
}

/** The names in one folder of the schemas, without folder and suffix. */
function namesIn(schemas, kind) {
  return [...schemas.keys()].filter((name) => name.startsWith(`${kind}/`)).map((name) => path.basename(name, '.json'));
}

/** Runs the checks one after the other. A check returns a list of problems, empty if it passed, or throws. */
async function runChecks(checks) {
  let failed = false;
  for (const [name, check] of Object.entries(checks)) {
    console.log(`[ RUN      ] ${name}`);
    let problems;
    try {
      problems = await check();
    } catch (error) {
      problems = [error.stack];
    }
    for (const problem of problems.slice(0, 20)) console.log(`  ${problem}`);
    if (problems.length > 20) console.log(`  and ${problems.length - 20} more`);
    console.log(problems.length === 0 ? `[       OK ] ${name}` : `[  FAILED  ] ${name}`);
    failed ||= problems.length > 0;
  }
  process.exitCode = failed ? 1 : 0;
}

module.exports = { root, folder, loadSchemas, compileSchemas, namesIn, runChecks };
