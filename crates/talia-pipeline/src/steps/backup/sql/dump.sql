-- As pg_dump will: a table that is dropped meanwhile could not be counted.
SELECT format('LOCK TABLE ONLY %I.%I IN ACCESS SHARE MODE', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT n.nspname = ANY (ARRAY(SELECT json_array_elements_text(:'excluded'::json)))
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
\gexec
SELECT pg_export_snapshot() AS snapshot \gset
\setenv TALIA_SNAPSHOT :snapshot
-- psql 15 does not tell how a command has ended: the command says it itself.
\set failed `umask 077; "$TALIA_PG_DUMP" --format=custom --file="$TALIA_FULL" --snapshot="$TALIA_SNAPSHOT" --lock-wait-timeout=60s --no-password@EXCLUDED@ </dev/null >&2 && echo off || echo on`
\if :failed
DO $$BEGIN RAISE EXCEPTION 'pg_dump of everything has failed'; END$$;
\endif
\set failed `umask 077; "$TALIA_PG_DUMP" --format=plain --schema-only --file="$TALIA_SCHEMA" --snapshot="$TALIA_SNAPSHOT" --lock-wait-timeout=60s --no-password@EXCLUDED@ </dev/null >&2 && echo off || echo on`
\if :failed
DO $$BEGIN RAISE EXCEPTION 'pg_dump of the schema has failed'; END$$;
\endif
