-- +goose Up
-- The vault's own database. A document table holds one kind of row under a key:
-- content is a small JSON document, opaque to SQL; mac is the vault's MAC over
-- table, key, version and content. Times are Unix milliseconds, UTC.
CREATE TABLE household (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE mobile_index (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE person (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE id_tag (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE open_session (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE staff (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE challenge (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE quota (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE counter (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE bearer (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE replay (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE key_ring (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE idempotency (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));

CREATE INDEX challenge_expires ON challenge (expires);
CREATE INDEX quota_expires ON quota (expires);
CREATE INDEX counter_expires ON counter (expires);
CREATE INDEX bearer_expires ON bearer (expires);
CREATE INDEX replay_expires ON replay (expires);
CREATE INDEX idempotency_expires ON idempotency (expires);

-- The access ledger: one sequence per database (a realm has a vault database of its own).
CREATE TABLE ledger_head (realm BIGINT NOT NULL PRIMARY KEY, next_index BIGINT NOT NULL, digest BYTEA NOT NULL, mac BYTEA NOT NULL);
CREATE TABLE ledger_entry (realm BIGINT NOT NULL, entry_index BIGINT NOT NULL, leaf BYTEA NOT NULL, sealed BYTEA NOT NULL, person_tag BYTEA NOT NULL, PRIMARY KEY (realm, entry_index));
CREATE INDEX ledger_entry_person ON ledger_entry (realm, person_tag, entry_index);

-- Acts whose end in the registry the vault has not seen. They grant nothing.
CREATE TABLE task (id TEXT NOT NULL, kind TEXT NOT NULL, person TEXT NOT NULL, ref TEXT NOT NULL, since BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (id, bucket));
CREATE INDEX task_since ON task (since);

-- What the triggers below say when they refuse.
-- +goose StatementBegin
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;
-- +goose StatementEnd
CREATE TRIGGER ledger_entry_no_delete BEFORE DELETE ON ledger_entry FOR EACH ROW EXECUTE FUNCTION refuse('ledger entries are never deleted');
CREATE TRIGGER ledger_entry_no_update BEFORE UPDATE ON ledger_entry FOR EACH ROW EXECUTE FUNCTION refuse('ledger entries are never changed');
