// Reads messages with the library of CloudEvents: `node reader.mjs FORM < messages`, a JSON array of {"key", "attributes", "data"} as they
// were on the wire. MIMAR_NODE_TOOLS names the folder whose `node_modules` has it. An event as JSON on a line each.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { HTTP, Kafka } = createRequire(`${process.env.MIMAR_NODE_TOOLS}/`)("cloudevents");
const prefixed = (prefix, attributes) =>
  Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`${prefix}${name}`, value]));

const forms = {
  // NATS has the headers of HTTP.
  nats: ({ attributes, data }) =>
    HTTP.toEvent({
      headers: { ...prefixed("ce-", attributes), "content-type": "application/json" },
      body: JSON.stringify(data),
    }),
  kafka: ({ key, attributes, data }) =>
    Kafka.toEvent({
      key,
      headers: { ...prefixed("ce_", attributes), "content-type": "application/json" },
      value: JSON.stringify(data),
    }),
  redis: ({ attributes, data }) =>
    HTTP.toEvent({
      headers: { "content-type": "application/cloudevents+json" },
      body: JSON.stringify({ ...attributes, data }),
    }),
};

for (const message of JSON.parse(readFileSync(0, "utf8"))) {
  const event = forms[process.argv[2]](message);
  event.validate();
  console.log(JSON.stringify(event));
}
