-- Who may do what in the registry. tikakosh_web serves the Internet: it adds and
-- changes, it deletes nothing, and it cannot change what was stored. tikakosh_worker
-- besides deletes what no request can need any more, draws, and publishes
-- figures. Tables of later migrations get the first line's rights and whatever
-- their migration says.

-- +goose Up
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO tikakosh_web, tikakosh_worker', current_database());
END $$;
-- +goose StatementEnd
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO tikakosh_web, tikakosh_worker;

GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO tikakosh_web, tikakosh_worker;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE ON TABLES TO tikakosh_web, tikakosh_worker;

REVOKE INSERT, UPDATE ON migration, migration_sum FROM tikakosh_web, tikakosh_worker;
REVOKE ALL ON feed FROM tikakosh_web, tikakosh_worker;

REVOKE UPDATE ON sealed, person, reference, appointment FROM tikakosh_web, tikakosh_worker;
GRANT UPDATE (until) ON sealed TO tikakosh_web, tikakosh_worker;
GRANT UPDATE (state) ON person, appointment TO tikakosh_web, tikakosh_worker;

REVOKE INSERT, UPDATE ON draw, report FROM tikakosh_web;
GRANT DELETE ON outbox, wish, idempotency, hold, hold_place, appointment TO tikakosh_worker;
