//! A script as `pg_dump` writes it, of any length.

use std::fmt::Write as _;

/// A dump of so many tables, 800 of which are more than two megabytes: with functions, triggers, partitions, domains, data and an
/// extension between them.
pub fn large_dump(tables: usize) -> String {
    let mut dump = "-- a dump\nCREATE EXTENSION hstore;\n".to_owned();
    for at in 0..tables {
        // Writing to a string does not fail.
        let _ = writeln!(
            dump,
            "CREATE TABLE public.thing_{at} (\n  id integer NOT NULL,\n  other_id integer,\n  name character varying(40) NOT NULL,\n  \
             price numeric(10,2) DEFAULT 0 NOT NULL,\n  made timestamp with time zone DEFAULT now(),\n  more hstore,\n  \
             CONSTRAINT positive_{at} CHECK ((price >= (0)::numeric))\n);\n\
             ALTER TABLE public.thing_{at} OWNER TO app;\n\
             CREATE SEQUENCE public.thing_{at}_id_seq START WITH 1;\n\
             ALTER SEQUENCE public.thing_{at}_id_seq OWNED BY public.thing_{at}.id;\n\
             CREATE FUNCTION public.f_{at}() RETURNS trigger LANGUAGE plpgsql AS $f$\nBEGIN\n{}  RETURN NEW;\nEND\n$f$;\n\
             CREATE TABLE public.thing_{at}_old PARTITION OF public.thing_{at} DEFAULT;\n\
             CREATE DOMAIN public.d_{at} AS text CHECK ((VALUE <> ''::text));\n\
             COPY public.thing_{at} (id, name) FROM stdin;\n1\tan entry; with 'odd \"quotes\n\\.\n\
             ALTER TABLE ONLY public.thing_{at} ADD CONSTRAINT key_{at} PRIMARY KEY (id);\n\
             ALTER TABLE ONLY public.thing_{at} ADD CONSTRAINT other_{at} FOREIGN KEY (other_id) REFERENCES public.thing_{}(id);\n\
             CREATE INDEX by_name_{at} ON public.thing_{at} USING btree (name, made DESC);\n\
             CREATE TRIGGER t_{at} BEFORE INSERT ON public.thing_{at} FOR EACH ROW EXECUTE FUNCTION public.f_{at}();\n",
            "  PERFORM pg_notify('channel', 'a step; and more of it');\n".repeat(24),
            (at * 7) % tables,
        );
    }
    dump
}
