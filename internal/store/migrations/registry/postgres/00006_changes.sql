-- The change feed of the slot search. Every insert and update of a session or
-- centre gives the row, in the same transaction, a number above all others of
-- its table, so that a web process finds what others changed by asking for
-- numbers above the last one it saw. It is no clock and no sequence: whoever
-- takes a number holds the counter's row until its transaction ends, so the
-- numbers grow in the order of commits. An update that changes nothing, which
-- the stores use to hold a row, takes none.

-- +goose Up
ALTER TABLE session ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE centre ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
CREATE INDEX session_changed ON session (changed, session);
CREATE INDEX centre_changed ON centre (changed, centre);

CREATE TABLE feed (name TEXT NOT NULL PRIMARY KEY, seq BIGINT NOT NULL);
INSERT INTO feed (name, seq) VALUES ('session', 0), ('centre', 0);

-- The function runs with its owner's rights: the roles that serve have none on
-- the counters.
-- +goose StatementBegin
CREATE FUNCTION number_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    UPDATE public.feed SET seq = seq + 1 WHERE name = TG_ARGV[0] RETURNING seq INTO NEW.changed;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER session_added BEFORE INSERT ON session FOR EACH ROW EXECUTE FUNCTION number_change('session');
CREATE TRIGGER session_changes BEFORE UPDATE ON session FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION number_change('session');
CREATE TRIGGER centre_added BEFORE INSERT ON centre FOR EACH ROW EXECUTE FUNCTION number_change('centre');
CREATE TRIGGER centre_changes BEFORE UPDATE ON centre FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION number_change('centre');
