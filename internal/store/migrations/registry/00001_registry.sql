-- The registry database: opaque ids, sealed parts, places and bookings. No
-- contact data and no key.
--
-- bucket is computed by the program from the owning id (the person, the
-- household, the reference number, the session or the centre) and is the last
-- column of every primary and foreign key. Instants are Unix milliseconds in
-- UTC; days are ISO 8601 dates in the centre's zone.

-- +goose Up

-- state: 1 registered, 2 removed.
CREATE TABLE person (
    person    TEXT    NOT NULL CHECK (length(person) BETWEEN 1 AND 64),
    reference TEXT    NOT NULL CHECK (length(reference) = 14),
    household TEXT    NOT NULL CHECK (length(household) BETWEEN 1 AND 64),
    slot      INTEGER NOT NULL CHECK (slot BETWEEN 1 AND 6),
    state     INTEGER NOT NULL CHECK (state IN (1, 2)),
    since     INTEGER NOT NULL,
    bucket    INTEGER NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (person, bucket)
) STRICT;

-- One sealed part of a person. until: when a later version replaced it.
CREATE TABLE sealed (
    person    TEXT    NOT NULL,
    seq       INTEGER NOT NULL CHECK (seq >= 1),
    part      TEXT    NOT NULL CHECK (length(part) BETWEEN 1 AND 128),
    version   INTEGER NOT NULL CHECK (version >= 1),
    hash      BLOB    NOT NULL CHECK (length(hash) = 32),
    body      BLOB    NOT NULL,
    stored_at INTEGER NOT NULL,
    until     INTEGER,
    bucket    INTEGER NOT NULL,
    PRIMARY KEY (person, seq, bucket),
    FOREIGN KEY (person, bucket) REFERENCES person (person, bucket)
) STRICT;
CREATE UNIQUE INDEX sealed_version ON sealed (person, part, version, bucket);

-- state: 1 member, 2 removed. since: the enrolment the row stems from.
CREATE TABLE member (
    household TEXT    NOT NULL,
    slot      INTEGER NOT NULL CHECK (slot BETWEEN 1 AND 6),
    person    TEXT    NOT NULL,
    state     INTEGER NOT NULL CHECK (state IN (1, 2)),
    since     INTEGER NOT NULL,
    bucket    INTEGER NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (household, slot, bucket)
) STRICT;

-- The person is in the key: a reference number drawn twice loses nobody.
CREATE TABLE reference (
    reference TEXT    NOT NULL CHECK (length(reference) = 14),
    person    TEXT    NOT NULL,
    bucket    INTEGER NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (reference, person, bucket)
) STRICT;

-- What remains to be done after the transaction that stored the row.
CREATE TABLE outbox (
    id       TEXT    NOT NULL,
    owner    TEXT    NOT NULL,
    kind     TEXT    NOT NULL CHECK (kind IN ('enrolled', 'sealed', 'removed', 'cancelled')),
    payload  TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    bucket   INTEGER NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (id, bucket)
) STRICT;
CREATE INDEX outbox_due ON outbox (due, id);

-- The answer to a mutation's key. key and body are digests.
CREATE TABLE idempotency (
    key     TEXT    NOT NULL CHECK (length(key) = 64),
    result  TEXT    NOT NULL,
    body    TEXT    NOT NULL,
    created INTEGER NOT NULL,
    bucket  INTEGER NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (key, bucket)
) STRICT;

-- lat and long in millionths of a degree; opens and closes in minutes after
-- local midnight.
CREATE TABLE centre (
    centre      INTEGER NOT NULL CHECK (centre > 0),
    name        TEXT    NOT NULL,
    address     TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    district    TEXT    NOT NULL,
    block       TEXT    NOT NULL,
    state_id    INTEGER NOT NULL,
    district_id INTEGER NOT NULL,
    pin         TEXT    NOT NULL CHECK (length(pin) = 6),
    lat         INTEGER NOT NULL CHECK (lat BETWEEN -90000000 AND 90000000),
    long        INTEGER NOT NULL CHECK (long BETWEEN -180000000 AND 180000000),
    zone        TEXT    NOT NULL,
    opens       INTEGER NOT NULL CHECK (opens BETWEEN 0 AND 1440),
    closes      INTEGER NOT NULL CHECK (closes BETWEEN 0 AND 1440),
    paid        INTEGER NOT NULL CHECK (paid IN (0, 1)),
    bucket      INTEGER NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (centre, bucket)
) STRICT;

-- taken may exceed cap only where a centre has lowered its capacity; that a
-- booking never makes it so is the conditional update's work. slots: one per
-- line. closes: end of online booking in minutes after local midnight.
CREATE TABLE session (
    session   TEXT    NOT NULL CHECK (length(session) BETWEEN 1 AND 64),
    centre    INTEGER NOT NULL,
    day       TEXT    NOT NULL CHECK (length(day) = 10),
    zone      TEXT    NOT NULL,
    programme TEXT    NOT NULL,
    product   TEXT    NOT NULL,
    min_age   INTEGER NOT NULL CHECK (min_age >= 0),
    max_age   INTEGER NOT NULL CHECK (max_age >= 0),
    cap1      INTEGER NOT NULL CHECK (cap1 >= 0),
    cap2      INTEGER NOT NULL CHECK (cap2 >= 0),
    taken1    INTEGER NOT NULL CHECK (taken1 >= 0),
    taken2    INTEGER NOT NULL CHECK (taken2 >= 0),
    slots     TEXT    NOT NULL,
    fee       INTEGER NOT NULL CHECK (fee >= 0),
    closes    INTEGER NOT NULL CHECK (closes BETWEEN 0 AND 1440),
    bucket    INTEGER NOT NULL,
    PRIMARY KEY (session, bucket),
    FOREIGN KEY (centre, bucket) REFERENCES centre (centre, bucket)
) STRICT;
CREATE INDEX session_day ON session (day, session);

-- Which centre a session belongs to, in the session's own bucket.
CREATE TABLE session_place (
    session TEXT    NOT NULL,
    centre  INTEGER NOT NULL,
    bucket  INTEGER NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (session, bucket)
) STRICT;

-- state: 1 held, 2 confirmed, 3 released.
CREATE TABLE hold (
    hold    TEXT    NOT NULL CHECK (length(hold) BETWEEN 1 AND 64),
    centre  INTEGER NOT NULL,
    session TEXT    NOT NULL,
    dose    INTEGER NOT NULL CHECK (dose >= 1),
    state   INTEGER NOT NULL CHECK (state IN (1, 2, 3)),
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    bucket  INTEGER NOT NULL,
    PRIMARY KEY (hold, bucket),
    FOREIGN KEY (session, bucket) REFERENCES session (session, bucket)
) STRICT;
CREATE INDEX hold_expires ON hold (expires) WHERE state = 1;

-- One person's place under a hold. state: 1 taken, 2 given back.
CREATE TABLE hold_place (
    hold   TEXT    NOT NULL,
    person TEXT    NOT NULL,
    state  INTEGER NOT NULL CHECK (state IN (1, 2)),
    bucket INTEGER NOT NULL,
    PRIMARY KEY (hold, person, bucket),
    FOREIGN KEY (hold, bucket) REFERENCES hold (hold, bucket)
) STRICT;

-- state: 1 live, 2 given, 3 cancelled, 9 fence: no appointment can be bound
-- under this hold any more.
CREATE TABLE appointment (
    person    TEXT    NOT NULL,
    hold      TEXT    NOT NULL,
    centre    INTEGER NOT NULL,
    session   TEXT    NOT NULL,
    day       TEXT    NOT NULL,
    slot      TEXT    NOT NULL,
    product   TEXT    NOT NULL,
    programme TEXT    NOT NULL,
    dose      INTEGER NOT NULL CHECK (dose >= 1),
    state     INTEGER NOT NULL CHECK (state IN (1, 2, 3, 9)),
    created   INTEGER NOT NULL,
    bucket    INTEGER NOT NULL,
    PRIMARY KEY (person, hold, bucket),
    FOREIGN KEY (person, bucket) REFERENCES person (person, bucket)
) STRICT;
CREATE UNIQUE INDEX appointment_live ON appointment (person, programme, bucket) WHERE state = 1;

-- What was stored stays as it was stored.

-- +goose StatementBegin
CREATE TRIGGER sealed_no_delete BEFORE DELETE ON sealed
BEGIN SELECT RAISE(ABORT, 'sealed parts are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER sealed_no_change BEFORE UPDATE ON sealed
WHEN NEW.person <> OLD.person OR NEW.seq <> OLD.seq OR NEW.part <> OLD.part OR NEW.version <> OLD.version
  OR NEW.hash <> OLD.hash OR NEW.body <> OLD.body OR NEW.stored_at <> OLD.stored_at OR NEW.bucket <> OLD.bucket
  OR OLD.until IS NOT NULL OR NEW.until IS NULL
BEGIN SELECT RAISE(ABORT, 'sealed parts are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER person_no_delete BEFORE DELETE ON person
BEGIN SELECT RAISE(ABORT, 'people are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER person_no_change BEFORE UPDATE ON person
WHEN NEW.person <> OLD.person OR NEW.reference <> OLD.reference OR NEW.household <> OLD.household
  OR NEW.slot <> OLD.slot OR NEW.since <> OLD.since OR NEW.bucket <> OLD.bucket OR NEW.state < OLD.state
BEGIN SELECT RAISE(ABORT, 'a person only changes by removal'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER reference_no_delete BEFORE DELETE ON reference
BEGIN SELECT RAISE(ABORT, 'reference numbers are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER reference_no_change BEFORE UPDATE ON reference
BEGIN SELECT RAISE(ABORT, 'reference numbers are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER appointment_no_delete BEFORE DELETE ON appointment
BEGIN SELECT RAISE(ABORT, 'appointments are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER appointment_final BEFORE UPDATE ON appointment
WHEN OLD.state <> 1 OR NEW.state = 1 OR NEW.person <> OLD.person OR NEW.hold <> OLD.hold OR NEW.bucket <> OLD.bucket
BEGIN SELECT RAISE(ABORT, 'an appointment ends once'); END;
-- +goose StatementEnd

-- REPLACE deletes without a delete trigger; a row that is there is kept instead.
-- +goose StatementBegin
CREATE TRIGGER sealed_no_replace BEFORE INSERT ON sealed
WHEN EXISTS (SELECT 1 FROM sealed WHERE person = NEW.person AND seq = NEW.seq AND bucket = NEW.bucket)
BEGIN SELECT RAISE(IGNORE); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER person_no_replace BEFORE INSERT ON person
WHEN EXISTS (SELECT 1 FROM person WHERE person = NEW.person AND bucket = NEW.bucket)
BEGIN SELECT RAISE(IGNORE); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER reference_no_replace BEFORE INSERT ON reference
WHEN EXISTS (SELECT 1 FROM reference WHERE reference = NEW.reference AND person = NEW.person AND bucket = NEW.bucket)
BEGIN SELECT RAISE(IGNORE); END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE appointment;
DROP TABLE hold_place;
DROP TABLE hold;
DROP TABLE session_place;
DROP TABLE session;
DROP TABLE centre;
DROP TABLE idempotency;
DROP TABLE outbox;
DROP TABLE reference;
DROP TABLE member;
DROP TABLE sealed;
DROP TABLE person;
