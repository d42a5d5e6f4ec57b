-- +goose Up
-- Several decisions may stand in one record (wire/decision, Run). Each waits by
-- itself: item 1 is a run's first, 0 the record as a whole. The bytes of those
-- that are no 0 stand in decisions.
CREATE TABLE waiting_items (
  origin        TEXT NOT NULL,        -- of the decision
  number        INTEGER NOT NULL,
  item          INTEGER NOT NULL,
  awaits        TEXT NOT NULL,
  record        BLOB NOT NULL,
  PRIMARY KEY (origin, number, item)
);
INSERT INTO waiting_items SELECT origin, number, 0, awaits, record FROM waiting;
DROP TABLE waiting;
ALTER TABLE waiting_items RENAME TO waiting;
CREATE INDEX waiting_awaits ON waiting(awaits);

-- What a run is about, for reconcile; decisions.subject of its record is "run".
-- Deleted together with the record.
CREATE TABLE run_items (
  subject       TEXT NOT NULL,        -- "entry POSITION"
  origin        TEXT NOT NULL,        -- of the record
  number        INTEGER NOT NULL,
  item          INTEGER NOT NULL,     -- from 1
  PRIMARY KEY (subject, origin, number, item)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE run_items;
DELETE FROM waiting WHERE item > 0;
CREATE TABLE waiting_records (
  origin        TEXT NOT NULL,
  number        INTEGER NOT NULL,
  awaits        TEXT NOT NULL,
  record        BLOB NOT NULL,
  PRIMARY KEY (origin, number)
);
INSERT INTO waiting_records SELECT origin, number, awaits, record FROM waiting;
DROP TABLE waiting;
ALTER TABLE waiting_records RENAME TO waiting;
CREATE INDEX waiting_awaits ON waiting(awaits);
