-- +goose Up
-- Decisions as received, sealed (wire/mesh): what reconcile holds everything
-- else against. Deleted together with the entries of their day.
CREATE TABLE decisions (
  origin        TEXT NOT NULL,
  number        INTEGER NOT NULL,
  day           INTEGER NOT NULL,
  record        BLOB NOT NULL,
  subject       TEXT,                 -- NULL: not read by reconcile yet; "entry POSITION", "notification ID", "key HEX" that is missing, or "none"
  copy_of       TEXT,                 -- position of the entry that the decided one repeats
  PRIMARY KEY (origin, number)
);
CREATE INDEX decisions_subject ON decisions(subject);
CREATE INDEX decisions_copy ON decisions(copy_of) WHERE copy_of IS NOT NULL;
CREATE INDEX entries_undecided ON entries(origin, number) WHERE ruling IS NULL;
CREATE INDEX notifications_pending ON notifications(planned_ms) WHERE state = 'pending';

-- How far reconcile has walked each origin: "new" what came since the last
-- pass, "sweep" the slow round over all, "floor" what came before decisions
-- were kept and can't be compared. Rows and customers have walks too.
CREATE TABLE walks (
  walk          TEXT NOT NULL,
  origin        TEXT NOT NULL,
  number        INTEGER NOT NULL,
  hash          BLOB NOT NULL,        -- running hash after that number
  PRIMARY KEY (walk, origin)
);
INSERT INTO walks(walk, origin, number, hash) SELECT 'floor', origin, number, hash FROM cursors;

-- Differences. They name ids, positions and states, never a person. Closed ones
-- are kept for reconcile.keep_days (90).
CREATE TABLE cases (
  seq           INTEGER PRIMARY KEY AUTOINCREMENT,
  id            TEXT NOT NULL UNIQUE,
  kind          TEXT NOT NULL,
  unit          TEXT NOT NULL,        -- what is looked at again to see whether it is gone
  place         TEXT NOT NULL,        -- origin, position, notification or customer id
  customer_id   TEXT REFERENCES customers(id) ON DELETE CASCADE, -- NULL: nobody's own
  state         TEXT NOT NULL,        -- watched, open, explained, reopened, closed
  expected      TEXT NOT NULL,
  found         TEXT NOT NULL,
  goal          INTEGER NOT NULL,     -- of a lag: the number that must be reached; else 0
  since_ms      INTEGER NOT NULL,
  seen_ms       INTEGER NOT NULL,     -- last looked at
  opened_ms     INTEGER,              -- NULL: only watched so far
  closed_ms     INTEGER,
  sealed_note   BLOB,                 -- an operator's explanation, under central's own key
  UNIQUE (kind, place)
);
CREATE INDEX cases_live ON cases(seen_ms) WHERE state <> 'closed';
CREATE INDEX cases_customer ON cases(customer_id, opened_ms, seq);

CREATE TABLE case_history (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  case_id       TEXT NOT NULL REFERENCES cases(id) ON DELETE CASCADE,
  at_ms         INTEGER NOT NULL,
  state         TEXT NOT NULL,
  found         TEXT NOT NULL
);
CREATE INDEX case_history_case ON case_history(case_id, id);

-- +goose Down
DROP TABLE case_history;
DROP TABLE cases;
DROP TABLE walks;
DROP INDEX notifications_pending;
DROP INDEX entries_undecided;
DROP TABLE decisions;
