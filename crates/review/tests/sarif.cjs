// Reads a SARIF log from standard input and validates it against the schema of the standard, as @microsoft/jest-sarif
// carries it. The libraries are in the `node_modules` of the folder that MIMAR_NODE_TOOLS names.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const tools = join(process.env.MIMAR_NODE_TOOLS, "node_modules");
const matchers = join(tools, "@microsoft", "jest-sarif");
// The validator is the one that the matchers use: its major version knows the draft of the schema.
const Ajv = createRequire(join(matchers, "lib", "index.js"))("ajv");
const schema = JSON.parse(readFileSync(join(matchers, "lib", "schemas", "sarif-2.1.0-rtm.5.json"), "utf8"));

const ajv = new Ajv({ schemaId: "auto", allErrors: true });
ajv.addMetaSchema(createRequire(join(matchers, "lib", "index.js"))("ajv/lib/refs/json-schema-draft-04.json"));
const validate = ajv.compile(schema);
const valid = validate(JSON.parse(readFileSync(0, "utf8")));
console.log(valid ? "valid" : JSON.stringify(validate.errors, null, 2));
process.exitCode = valid ? 0 : 1;
