CREATE SCHEMA IF NOT EXISTS mimar;
COMMENT ON SCHEMA mimar IS 'What Mimar needs beside the tables: functions that its expressions call, and its own notes.';
CREATE TABLE IF NOT EXISTS mimar.meta (key text PRIMARY KEY, value text NOT NULL);

CREATE TABLE IF NOT EXISTS mimar.server (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  seen timestamptz NOT NULL
);
COMMENT ON TABLE mimar.server IS 'Servers that run behind a pooler, which hides their connections; one that was not seen for 20 s is gone.';

CREATE TABLE IF NOT EXISTS mimar.receipt (
  key bytea PRIMARY KEY,
  request bytea NOT NULL,
  made bigint NOT NULL,
  row_key text NOT NULL,
  part_key text,
  version bigint NOT NULL,
  json text
);
CREATE INDEX IF NOT EXISTS receipt_made ON mimar.receipt (made);
COMMENT ON TABLE mimar.receipt IS 'What came of requests with an Idempotency-Key, for a day.';

CREATE TABLE IF NOT EXISTS mimar.event (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  key text,
  made bigint NOT NULL,
  data json NOT NULL,
  number bigint GENERATED ALWAYS AS IDENTITY UNIQUE
);
COMMENT ON TABLE mimar.event IS 'What commands have published; kept for a while, to be replayed.';

CREATE TABLE IF NOT EXISTS mimar.task (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  target text NOT NULL,
  arguments json NOT NULL,
  event uuid,
  lane text,
  priority bigint NOT NULL,
  due bigint NOT NULL,
  unique_key text UNIQUE,
  failures bigint NOT NULL DEFAULT 0,
  taken_until bigint,
  parked boolean NOT NULL DEFAULT false,
  error text
);
DROP INDEX IF EXISTS mimar.task_due;
CREATE INDEX IF NOT EXISTS task_due_loose ON mimar.task (priority DESC, number, due) WHERE NOT parked AND lane IS NULL;
CREATE INDEX IF NOT EXISTS task_due_in_lane ON mimar.task (priority DESC, number, due) WHERE NOT parked AND lane IS NOT NULL;
CREATE INDEX IF NOT EXISTS task_lane ON mimar.task (lane, number) WHERE lane IS NOT NULL;
COMMENT ON TABLE mimar.task IS 'What is still to be done; moments are microseconds since 1970.';

CREATE TABLE IF NOT EXISTS mimar.endpoint (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  webhook text NOT NULL,
  url text NOT NULL,
  made bigint NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  reason text,
  failing bigint NOT NULL DEFAULT 0,
  resumes bigint NOT NULL DEFAULT 0,
  succeeded bigint,
  failed bigint
);
COMMENT ON TABLE mimar.endpoint IS 'Who is told of events: addresses of partners, by the webhook of the model.';

CREATE TABLE IF NOT EXISTS mimar.endpoint_secret (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  endpoint bigint NOT NULL,
  secret text NOT NULL,
  until bigint
);
CREATE INDEX IF NOT EXISTS endpoint_secret_of ON mimar.endpoint_secret (endpoint);
COMMENT ON TABLE mimar.endpoint_secret IS 'What deliveries are signed with; more than one while one takes the place of another.';

CREATE TABLE IF NOT EXISTS mimar.delivery (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  endpoint bigint NOT NULL,
  event uuid NOT NULL,
  lane text,
  state text NOT NULL DEFAULT 'waiting',
  made bigint NOT NULL,
  due bigint,
  taken_until bigint,
  attempts bigint NOT NULL DEFAULT 0,
  tried bigint,
  status bigint,
  reason text
);
CREATE INDEX IF NOT EXISTS delivery_due ON mimar.delivery (endpoint, due, number) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS delivery_lane ON mimar.delivery (endpoint, lane, number) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS delivery_taken ON mimar.delivery (endpoint, taken_until) WHERE taken_until IS NOT NULL;
CREATE INDEX IF NOT EXISTS delivery_event ON mimar.delivery (event);
CREATE INDEX IF NOT EXISTS delivery_made ON mimar.delivery (made);
COMMENT ON TABLE mimar.delivery IS 'Events on their way to endpoints, and for a while what became of them; moments are microseconds since 1970.';

CREATE TABLE IF NOT EXISTS mimar.outgoing (
  event uuid NOT NULL,
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
);
CREATE INDEX IF NOT EXISTS outgoing_event ON mimar.outgoing (event);
COMMENT ON TABLE mimar.outgoing IS 'Events that the broker has not acknowledged yet, in the order in which they are sent.';

CREATE TABLE IF NOT EXISTS mimar.received (
  source text NOT NULL,
  id text NOT NULL,
  made bigint NOT NULL,
  PRIMARY KEY (source, id)
);
CREATE INDEX IF NOT EXISTS received_made ON mimar.received (made);
COMMENT ON TABLE mimar.received IS 'Events of other systems that have come, for a while: what comes again is known by it.';

CREATE TABLE IF NOT EXISTS mimar.position (
  name text PRIMARY KEY,
  next bigint NOT NULL
);
COMMENT ON TABLE mimar.position IS 'How far places of the broker have been read, where it does not keep that itself.';

CREATE TABLE IF NOT EXISTS mimar.lease (
  name text PRIMARY KEY,
  holder uuid NOT NULL,
  until bigint NOT NULL
);
COMMENT ON TABLE mimar.lease IS 'What one process does at a time, and which; moments are microseconds since 1970.';

CREATE OR REPLACE FUNCTION mimar.divide_half_even(over numeric, under numeric) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT (div(over, under) + CASE
    WHEN abs(mod(over, under)) * 2 > abs(under)
      OR (abs(mod(over, under)) * 2 = abs(under) AND mod(div(over, under), 2) <> 0)
    THEN sign(over) * sign(under) ELSE 0 END)::bigint
$$;

CREATE OR REPLACE AGGREGATE mimar.sum(bigint) (SFUNC = int8pl, STYPE = bigint, INITCOND = '0');
CREATE OR REPLACE AGGREGATE mimar.sum(double precision) (SFUNC = float8pl, STYPE = double precision, INITCOND = '0');
