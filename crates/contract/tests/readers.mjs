// Reads what the contract writes with the libraries of those who made the standards: `node readers.mjs KIND < document`.
// MIMAR_NODE_TOOLS names the folder whose `node_modules` has them.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.MIMAR_NODE_TOOLS}/`);
const text = readFileSync(0, "utf8");

const kinds = {
  // What is wrong with a document of AsyncAPI, a line each; its messages otherwise.
  async asyncapi() {
    const { Parser } = require("@asyncapi/parser");
    const { document, diagnostics } = await new Parser().parse(text);
    const wrong = diagnostics.filter((diagnostic) => diagnostic.severity === 0);
    if (wrong.length > 0) return wrong.map((it) => `${it.path.join("/")}: ${it.message}`);
    return document.operations().all().map((it) => `${it.action()} ${it.messages().all().map((m) => m.id()).join(" ")}`);
  },
  // What is wrong with `data` by a schema of draft 2020-12, a line each, from {"schema", "data"}. A schema that is none is thrown.
  async schema() {
    const Ajv = createRequire(require.resolve("@asyncapi/parser"))("ajv/dist/2020").default;
    const { schema, data } = JSON.parse(text);
    const ajv = new Ajv({ allErrors: true, strict: true, validateFormats: false });
    ajv.addKeyword("x-personal-data");
    const validate = ajv.compile(schema);
    return validate(data) ? [] : validate.errors.map((it) => `${it.instancePath} ${it.message}`);
  },
  // An event of CloudEvents, from {"headers", "body"}.
  async cloudevents() {
    const { HTTP } = require("cloudevents");
    const event = HTTP.toEvent(JSON.parse(text));
    event.validate();
    return [JSON.stringify(event)];
  },
};

console.log((await kinds[process.argv[2]]()).join("\n"));
