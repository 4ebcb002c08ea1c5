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
    slot      BIGINT NOT NULL CHECK (slot BETWEEN 1 AND 6),
    state     BIGINT NOT NULL CHECK (state IN (1, 2)),
    since     BIGINT NOT NULL,
    bucket    BIGINT NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (person, bucket)
);

-- One sealed part of a person. until: when a later version replaced it.
CREATE TABLE sealed (
    person    TEXT    NOT NULL,
    seq       BIGINT NOT NULL CHECK (seq >= 1),
    part      TEXT    NOT NULL CHECK (length(part) BETWEEN 1 AND 128),
    version   BIGINT NOT NULL CHECK (version >= 1),
    hash      BYTEA    NOT NULL CHECK (length(hash) = 32),
    body      BYTEA    NOT NULL,
    stored_at BIGINT NOT NULL,
    until     BIGINT,
    bucket    BIGINT NOT NULL,
    PRIMARY KEY (person, seq, bucket),
    FOREIGN KEY (person, bucket) REFERENCES person (person, bucket)
);
CREATE UNIQUE INDEX sealed_version ON sealed (person, part, version, bucket);

-- state: 1 member, 2 removed. since: the enrolment the row stems from.
CREATE TABLE member (
    household TEXT    NOT NULL,
    slot      BIGINT NOT NULL CHECK (slot BETWEEN 1 AND 6),
    person    TEXT    NOT NULL,
    state     BIGINT NOT NULL CHECK (state IN (1, 2)),
    since     BIGINT NOT NULL,
    bucket    BIGINT NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (household, slot, bucket)
);

-- The person is in the key: a reference number drawn twice loses nobody.
CREATE TABLE reference (
    reference TEXT    NOT NULL CHECK (length(reference) = 14),
    person    TEXT    NOT NULL,
    bucket    BIGINT NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (reference, person, bucket)
);

-- What remains to be done after the transaction that stored the row.
CREATE TABLE outbox (
    id       TEXT    NOT NULL,
    owner    TEXT    NOT NULL,
    kind     TEXT    NOT NULL CHECK (kind IN ('enrolled', 'sealed', 'removed', 'cancelled')),
    payload  TEXT    NOT NULL,
    created  BIGINT NOT NULL,
    due      BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    bucket   BIGINT NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (id, bucket)
);
CREATE INDEX outbox_due ON outbox (due, id);

-- The answer to a mutation's key. key and body are digests.
CREATE TABLE idempotency (
    key     TEXT    NOT NULL CHECK (length(key) = 64),
    result  TEXT    NOT NULL,
    body    TEXT    NOT NULL,
    created BIGINT NOT NULL,
    bucket  BIGINT NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (key, bucket)
);

-- lat and long in millionths of a degree; opens and closes in minutes after
-- local midnight.
CREATE TABLE centre (
    centre      BIGINT NOT NULL CHECK (centre > 0),
    name        TEXT    NOT NULL,
    address     TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    district    TEXT    NOT NULL,
    block       TEXT    NOT NULL,
    state_id    BIGINT NOT NULL,
    district_id BIGINT NOT NULL,
    pin         TEXT    NOT NULL CHECK (length(pin) = 6),
    lat         BIGINT NOT NULL CHECK (lat BETWEEN -90000000 AND 90000000),
    long        BIGINT NOT NULL CHECK (long BETWEEN -180000000 AND 180000000),
    zone        TEXT    NOT NULL,
    opens       BIGINT NOT NULL CHECK (opens BETWEEN 0 AND 1440),
    closes      BIGINT NOT NULL CHECK (closes BETWEEN 0 AND 1440),
    paid        BIGINT NOT NULL CHECK (paid IN (0, 1)),
    bucket      BIGINT NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (centre, bucket)
);

-- taken may exceed cap only where a centre has lowered its capacity; that a
-- booking never makes it so is the conditional update's work. slots: one per
-- line. closes: end of online booking in minutes after local midnight.
CREATE TABLE session (
    session   TEXT    NOT NULL CHECK (length(session) BETWEEN 1 AND 64),
    centre    BIGINT NOT NULL,
    day       TEXT    NOT NULL CHECK (length(day) = 10),
    zone      TEXT    NOT NULL,
    programme TEXT    NOT NULL,
    product   TEXT    NOT NULL,
    min_age   BIGINT NOT NULL CHECK (min_age >= 0),
    max_age   BIGINT NOT NULL CHECK (max_age >= 0),
    cap1      BIGINT NOT NULL CHECK (cap1 >= 0),
    cap2      BIGINT NOT NULL CHECK (cap2 >= 0),
    taken1    BIGINT NOT NULL CHECK (taken1 >= 0),
    taken2    BIGINT NOT NULL CHECK (taken2 >= 0),
    slots     TEXT    NOT NULL,
    fee       BIGINT NOT NULL CHECK (fee >= 0),
    closes    BIGINT NOT NULL CHECK (closes BETWEEN 0 AND 1440),
    bucket    BIGINT NOT NULL,
    PRIMARY KEY (session, bucket),
    FOREIGN KEY (centre, bucket) REFERENCES centre (centre, bucket)
);
CREATE INDEX session_day ON session (day, session);

-- Which centre a session belongs to, in the session's own bucket.
CREATE TABLE session_place (
    session TEXT    NOT NULL,
    centre  BIGINT NOT NULL,
    bucket  BIGINT NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (session, bucket)
);

-- state: 1 held, 2 confirmed, 3 released.
CREATE TABLE hold (
    hold    TEXT    NOT NULL CHECK (length(hold) BETWEEN 1 AND 64),
    centre  BIGINT NOT NULL,
    session TEXT    NOT NULL,
    dose    BIGINT NOT NULL CHECK (dose >= 1),
    state   BIGINT NOT NULL CHECK (state IN (1, 2, 3)),
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    bucket  BIGINT NOT NULL,
    PRIMARY KEY (hold, bucket),
    FOREIGN KEY (session, bucket) REFERENCES session (session, bucket)
);
CREATE INDEX hold_expires ON hold (expires) WHERE state = 1;

-- One person's place under a hold. state: 1 taken, 2 given back.
CREATE TABLE hold_place (
    hold   TEXT    NOT NULL,
    person TEXT    NOT NULL,
    state  BIGINT NOT NULL CHECK (state IN (1, 2)),
    bucket BIGINT NOT NULL,
    PRIMARY KEY (hold, person, bucket),
    FOREIGN KEY (hold, bucket) REFERENCES hold (hold, bucket)
);

-- state: 1 live, 2 given, 3 cancelled, 9 fence: no appointment can be bound
-- under this hold any more.
CREATE TABLE appointment (
    person    TEXT    NOT NULL,
    hold      TEXT    NOT NULL,
    centre    BIGINT NOT NULL,
    session   TEXT    NOT NULL,
    day       TEXT    NOT NULL,
    slot      TEXT    NOT NULL,
    product   TEXT    NOT NULL,
    programme TEXT    NOT NULL,
    dose      BIGINT NOT NULL CHECK (dose >= 1),
    state     BIGINT NOT NULL CHECK (state IN (1, 2, 3, 9)),
    created   BIGINT NOT NULL,
    bucket    BIGINT NOT NULL,
    PRIMARY KEY (person, hold, bucket),
    FOREIGN KEY (person, bucket) REFERENCES person (person, bucket)
);
CREATE UNIQUE INDEX appointment_live ON appointment (person, programme, bucket) WHERE state = 1;

-- What was stored stays as it was stored.

-- What the triggers below say when they refuse.
-- +goose StatementBegin
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END $$;
-- +goose StatementEnd

CREATE TRIGGER sealed_no_delete BEFORE DELETE ON sealed FOR EACH ROW EXECUTE FUNCTION refuse('sealed parts are never deleted');
CREATE TRIGGER sealed_no_change BEFORE UPDATE ON sealed FOR EACH ROW
    WHEN (NEW.person <> OLD.person OR NEW.seq <> OLD.seq OR NEW.part <> OLD.part OR NEW.version <> OLD.version
  OR NEW.hash <> OLD.hash OR NEW.body <> OLD.body OR NEW.stored_at <> OLD.stored_at OR NEW.bucket <> OLD.bucket
  OR OLD.until IS NOT NULL OR NEW.until IS NULL)
    EXECUTE FUNCTION refuse('sealed parts are never changed');
CREATE TRIGGER person_no_delete BEFORE DELETE ON person FOR EACH ROW EXECUTE FUNCTION refuse('people are never deleted');
CREATE TRIGGER person_no_change BEFORE UPDATE ON person FOR EACH ROW
    WHEN (NEW.person <> OLD.person OR NEW.reference <> OLD.reference OR NEW.household <> OLD.household
  OR NEW.slot <> OLD.slot OR NEW.since <> OLD.since OR NEW.bucket <> OLD.bucket OR NEW.state < OLD.state)
    EXECUTE FUNCTION refuse('a person only changes by removal');
CREATE TRIGGER reference_no_delete BEFORE DELETE ON reference FOR EACH ROW EXECUTE FUNCTION refuse('reference numbers are never deleted');
CREATE TRIGGER reference_no_change BEFORE UPDATE ON reference FOR EACH ROW EXECUTE FUNCTION refuse('reference numbers are never changed');
CREATE TRIGGER appointment_no_delete BEFORE DELETE ON appointment FOR EACH ROW EXECUTE FUNCTION refuse('appointments are never deleted');
CREATE TRIGGER appointment_final BEFORE UPDATE ON appointment FOR EACH ROW
    WHEN (OLD.state <> 1 OR NEW.state = 1 OR NEW.person <> OLD.person OR NEW.hold <> OLD.hold OR NEW.bucket <> OLD.bucket)
    EXECUTE FUNCTION refuse('an appointment ends once');

