-- A hold that moves an appointment names it: whoever ends the hold must know
-- that an old appointment stands behind it. Fences, which say nothing once no
-- request can be under way any more, may be deleted; appointments never.

-- +goose Up
ALTER TABLE hold ADD COLUMN old TEXT NOT NULL DEFAULT '';
CREATE INDEX idempotency_created ON idempotency (created);
CREATE INDEX appointment_fence ON appointment (created) WHERE state = 9;

-- draw_at: until then requests are entries of a draw; 0: places go in the order
-- of arrival.
ALTER TABLE session ADD COLUMN draw_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX session_draw ON session (draw_at) WHERE draw_at > 0;

-- One request for places of a session that is drawn. Numbers are dense from 1.
-- people: ids, one per line. state: 1 waiting, 2 drawn and booked, 3 not drawn,
-- 4 refused or withdrawn.
CREATE TABLE draw_entry (
    session TEXT    NOT NULL,
    number  BIGINT NOT NULL CHECK (number >= 1),
    hold    TEXT    NOT NULL CHECK (length(hold) BETWEEN 1 AND 64),
    dose    BIGINT NOT NULL CHECK (dose >= 1),
    slot    TEXT    NOT NULL,
    people  TEXT    NOT NULL,
    state   BIGINT NOT NULL CHECK (state IN (1, 2, 3, 4)),
    created BIGINT NOT NULL,
    bucket  BIGINT NOT NULL,
    PRIMARY KEY (session, number, bucket),
    FOREIGN KEY (session, bucket) REFERENCES session (session, bucket)
);
CREATE UNIQUE INDEX draw_entry_waiting ON draw_entry (session, people, bucket) WHERE state = 1;

-- A draw since its entries were closed. state: 1 closed, 2 seeded, 3 drawn. place
-- is the index of its entry on the ledger, -1 before there is one.
CREATE TABLE draw (
    session    TEXT    NOT NULL,
    state      BIGINT NOT NULL CHECK (state IN (1, 2, 3)),
    entries    BIGINT NOT NULL,
    digest     TEXT    NOT NULL CHECK (length(digest) = 64),
    receipt    TEXT    NOT NULL,
    place      BIGINT NOT NULL,
    checkpoint TEXT    NOT NULL,
    seed       TEXT    NOT NULL,
    closed     BIGINT NOT NULL,
    drawn      BIGINT NOT NULL,
    bucket     BIGINT NOT NULL,
    PRIMARY KEY (session, bucket),
    FOREIGN KEY (session, bucket) REFERENCES session (session, bucket)
);

DROP TRIGGER appointment_no_delete ON appointment;
CREATE TRIGGER appointment_no_delete BEFORE DELETE ON appointment FOR EACH ROW
    WHEN (OLD.state <> 9)
    EXECUTE FUNCTION refuse('appointments are never deleted');
