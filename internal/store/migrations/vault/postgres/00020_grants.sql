-- Who may do what in the vault's database: the vault's user alone, and it neither
-- changes nor deletes an entry of the ledger. Tables of later migrations get the
-- rights of a document table and whatever their migration says.

-- +goose Up
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO tikakosh_vault', current_database());
END $$;
-- +goose StatementEnd
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO tikakosh_vault;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO tikakosh_vault;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO tikakosh_vault;

REVOKE INSERT, UPDATE, DELETE ON migration, migration_sum FROM tikakosh_vault;
REVOKE UPDATE, DELETE ON ledger_entry FROM tikakosh_vault;
REVOKE DELETE ON ledger_head FROM tikakosh_vault;
