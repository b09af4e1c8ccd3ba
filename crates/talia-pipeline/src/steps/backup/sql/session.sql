-- Nothing of the database's own may stand before PostgreSQL's own functions.
SET search_path = pg_catalog;
SET client_encoding = 'UTF8';
-- An error is better than rows that are left out.
SET row_security = off;
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET lock_timeout = '60s';
BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
