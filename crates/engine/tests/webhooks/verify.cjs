// Verifies a delivery with the library of Standard Webhooks: {"secret", "headers", "body"} on stdin, what it says on stdout.
const { Webhook } = require("standardwebhooks");

const { secret, headers, body } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
try {
  new Webhook(secret).verify(body, headers);
  process.stdout.write("verified");
} catch (error) {
  process.stdout.write(error.message);
}
