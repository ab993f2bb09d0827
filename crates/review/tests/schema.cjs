// Validates what stands on standard input: `node schema.cjs sarif` a SARIF log against the schema of the standard, as
// @microsoft/jest-sarif carries it, `node schema.cjs` the `value` of an object against its `schema` of draft 7. The libraries
// are in the `node_modules` of the folder that MIMAR_NODE_TOOLS names.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const matchers = join(process.env.MIMAR_NODE_TOOLS, "node_modules", "@microsoft", "jest-sarif");
// The validator is the one that the matchers use: its major version knows the drafts of both schemas.
const require_ = createRequire(join(matchers, "lib", "index.js"));
const Ajv = require_("ajv");
const given = JSON.parse(readFileSync(0, "utf8"));

function sarif() {
  const schema = JSON.parse(readFileSync(join(matchers, "lib", "schemas", "sarif-2.1.0-rtm.5.json"), "utf8"));
  const ajv = new Ajv({ schemaId: "auto", allErrors: true });
  ajv.addMetaSchema(require_("ajv/lib/refs/json-schema-draft-04.json"));
  return [ajv.compile(schema), given];
}

const [validate, value] =
  process.argv[2] === "sarif" ? sarif() : [new Ajv({ allErrors: true }).compile(given.schema), given.value];
const valid = validate(value);
console.log(valid ? "valid" : JSON.stringify(validate.errors, null, 2));
process.exitCode = valid ? 0 : 1;
