-- Staff identities (ADR 31): people, their passkeys and sessions, what waits for a second person,
-- rosters. All rows are documents with a MAC.
-- +goose Up
CREATE TABLE staff_member (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;
CREATE TABLE staff_proposal (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;
CREATE TABLE staff_area (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;
CREATE TABLE staff_roster (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;
CREATE TABLE staff_session (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;
CREATE TABLE staff_ceremony (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;
CREATE INDEX staff_session_expires ON staff_session (expires);
CREATE INDEX staff_ceremony_expires ON staff_ceremony (expires);

-- +goose Down
DROP TABLE staff_ceremony;
DROP TABLE staff_session;
DROP TABLE staff_roster;
DROP TABLE staff_area;
DROP TABLE staff_proposal;
DROP TABLE staff_member;
