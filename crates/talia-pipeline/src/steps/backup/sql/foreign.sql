-- Roles that own something, or are granted something, in this database; and whether a dump
-- that is restored without its owners names them all the same.
WITH granted (owner, acl, usual) AS (
  SELECT relowner, relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)
  FROM pg_class
  UNION ALL SELECT relowner, attacl, acldefault('c', relowner)
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  UNION ALL SELECT nspowner, nspacl, acldefault('n', nspowner) FROM pg_namespace
  UNION ALL SELECT proowner, proacl, acldefault('f', proowner) FROM pg_proc
  UNION ALL SELECT typowner, typacl, acldefault('T', typowner) FROM pg_type
  UNION ALL SELECT lanowner, lanacl, acldefault('l', lanowner) FROM pg_language
  UNION ALL SELECT lomowner, lomacl, acldefault('L', lomowner) FROM pg_largeobject_metadata
  UNION ALL SELECT fdwowner, fdwacl, acldefault('F', fdwowner) FROM pg_foreign_data_wrapper
  UNION ALL SELECT srvowner, srvacl, acldefault('S', srvowner) FROM pg_foreign_server
), named (role) AS (
  -- Who is granted something or stands in a policy; of the owners, those whose default
  -- privileges or whose login elsewhere it is.
  SELECT refobjid FROM pg_shdepend
  WHERE refclassid = 'pg_authid'::regclass
    AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (deptype <> 'o' OR classid IN ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass))
  -- An owner who may do more or less than owners do.
  UNION SELECT owner FROM granted
  WHERE acl IS NOT NULL AND owner IN (
    SELECT grantee FROM (
      (SELECT * FROM aclexplode(acl) EXCEPT SELECT * FROM aclexplode(usual))
      UNION ALL (SELECT * FROM aclexplode(usual) EXCEPT SELECT * FROM aclexplode(acl))
    ) AS unusual)
  -- Where rows or functions have names of roles in them, it may be any.
  UNION SELECT oid FROM pg_roles
  WHERE EXISTS (SELECT FROM pg_attribute
                WHERE attrelid >= 16384 AND NOT attisdropped
                  AND atttypid IN ('regrole'::regtype, 'regrole[]'::regtype,
                                   'aclitem'::regtype, 'aclitem[]'::regtype))
     OR EXISTS (SELECT FROM pg_proc p, unnest(p.proconfig) AS setting
                WHERE setting LIKE 'role=%' OR setting LIKE 'session_authorization=%')
)
SELECT json_build_object('kind', 'role', 'name', rolname,
                         'named', oid IN (SELECT role FROM named))
FROM pg_roles
WHERE rolname !~ '^pg_' AND oid IN (
  SELECT refobjid FROM pg_shdepend
  WHERE refclassid = 'pg_authid'::regclass
    AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  UNION SELECT relowner FROM pg_class
  UNION SELECT nspowner FROM pg_namespace)
ORDER BY rolname;
-- Extensions, and the schemas that are left out, with everything that cannot be without
-- them, as CLASS/OBJECT: the numbers by which the dump's own list names its entries.
WITH RECURSIVE needs (classid, objid, refclassid, refobjid) AS (
  SELECT classid, objid, refclassid, refobjid FROM pg_depend
  WHERE deptype <> 'e' AND classid <> 0 AND refclassid <> 'pg_extension'::regclass
  -- What stands inside another statement is a part of it: a view's rule, a type's
  -- columns, a default, a check.
  UNION SELECT refclassid, refobjid, classid, objid FROM pg_depend WHERE deptype = 'i'
  UNION SELECT 'pg_class'::regclass, adrelid, 'pg_attrdef'::regclass, oid FROM pg_attrdef
  UNION SELECT 'pg_class'::regclass, conrelid, 'pg_constraint'::regclass, oid FROM pg_constraint
        WHERE contype = 'c' AND conrelid <> 0
  UNION SELECT 'pg_type'::regclass, contypid, 'pg_constraint'::regclass, oid FROM pg_constraint
        WHERE contypid <> 0
), members (extension, classid, objid) AS (
  SELECT e.oid, d.classid, d.objid
  FROM pg_extension e
  JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
  -- Every server has this one, and every function in it would be listed.
  WHERE d.deptype = 'e' AND e.extname <> 'plpgsql'
  -- The schemas stand under 0, which is no extension.
  UNION ALL
  SELECT 0, d.classid, d.objid
  FROM pg_depend d
  JOIN pg_namespace n ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
  WHERE n.nspname = ANY (ARRAY(SELECT json_array_elements_text(:'excluded'::json)))
), dependent (extension, classid, objid) AS (
  SELECT extension, classid, objid FROM members
  UNION
  SELECT d.extension, n.classid, n.objid
  FROM dependent d JOIN needs n ON n.refclassid = d.classid AND n.refobjid = d.objid
)
SELECT line FROM (
  SELECT e.extname, json_build_object(
    'kind', 'extension', 'name', e.extname, 'version', e.extversion,
    'objects', coalesce(
      (SELECT json_agg(d.classid || '/' || d.objid ORDER BY d.classid, d.objid)
       FROM dependent d
       WHERE d.extension = e.oid
         -- Of its own members only tables may be in a dump, by their rows.
         AND (d.classid = 'pg_class'::regclass
              OR NOT EXISTS (SELECT FROM members m WHERE m.classid = d.classid AND m.objid = d.objid))),
      '[]'::json))
  FROM pg_extension e
  WHERE e.extname <> 'plpgsql'
  UNION ALL
  SELECT '', json_build_object(
    'kind', 'without', 'schemas', :'excluded'::json,
    'objects', coalesce(
      (SELECT json_agg(d.classid || '/' || d.objid ORDER BY d.classid, d.objid)
       FROM dependent d
       WHERE d.extension = 0
         -- What is in them is not dumped, but for extensions and what is published of them.
         AND (d.classid IN ('pg_extension'::regclass, to_regclass('pg_catalog.pg_publication_namespace'))
              OR NOT EXISTS (SELECT FROM members m WHERE m.extension = 0
                             AND m.classid = d.classid AND m.objid = d.objid))),
      '[]'::json))
  WHERE json_array_length(:'excluded'::json) > 0
) AS lines (name, line)
ORDER BY name;
