SELECT format('SELECT json_build_object(''kind'', ''table'', ''schema'', %L, ''name'', %L, ''oid'', %s, ''rows'', count(*)) FROM ONLY %I.%I',
              n.nspname, c.relname, c.oid, n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT n.nspname = ANY (ARRAY(SELECT json_array_elements_text(:'excluded'::json)))
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname
\gexec
SELECT json_build_object('kind', 'server',
                         'version', current_setting('server_version_num')::int,
                         'encoding', getdatabaseencoding(),
                         'large_objects', (SELECT count(*) FROM pg_largeobject_metadata));
