CREATE SCHEMA IF NOT EXISTS mimar;
COMMENT ON SCHEMA mimar IS 'What Mimar needs beside the tables: functions that its expressions call, and its own notes.';
CREATE TABLE IF NOT EXISTS mimar.meta (key text PRIMARY KEY, value text NOT NULL);

CREATE OR REPLACE FUNCTION mimar.divide_half_even(over numeric, under numeric) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT (div(over, under) + CASE
    WHEN abs(mod(over, under)) * 2 > abs(under)
      OR (abs(mod(over, under)) * 2 = abs(under) AND mod(div(over, under), 2) <> 0)
    THEN sign(over) * sign(under) ELSE 0 END)::bigint
$$;

CREATE OR REPLACE AGGREGATE mimar.sum(bigint) (SFUNC = int8pl, STYPE = bigint, INITCOND = '0');
CREATE OR REPLACE AGGREGATE mimar.sum(double precision) (SFUNC = float8pl, STYPE = double precision, INITCOND = '0');
