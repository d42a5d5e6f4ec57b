-- +goose Up
-- Held messages, of unknown accounts or that two panels could have sent: where
-- they are, not what they say. What they say stays in the entry, under the key
-- of its day, and is gone with it. Rows are deleted when they are 8 days old.
CREATE TABLE held (
  origin        TEXT NOT NULL,
  number        INTEGER NOT NULL,
  group_index   BLOB NOT NULL,        -- listener, prefix, receiver, account, under central's key
  number_index  BLOB NOT NULL,        -- listener and account, as in panels
  received_ms   INTEGER NOT NULL,
  encrypted     INTEGER NOT NULL,
  poll          INTEGER NOT NULL,
  listed        INTEGER NOT NULL,     -- 1: waits for somebody to adopt it
  adoption      INTEGER REFERENCES adoptions(seq) ON DELETE CASCADE, -- that it belongs to, or was left by; NULL: none
  outcome       TEXT,                 -- of the adoption (node/intake); NULL: none yet
  PRIMARY KEY (origin, number)
);
CREATE INDEX held_group ON held(group_index, received_ms) WHERE listed = 1;
CREATE INDEX held_number ON held(number_index, received_ms);
CREATE INDEX held_adoption ON held(adoption, received_ms) WHERE adoption IS NOT NULL;
CREATE INDEX held_received ON held(received_ms);

-- Unknown panels that became a customer's. Kept for the operator, named by ids.
CREATE TABLE adoptions (
  seq           INTEGER PRIMARY KEY AUTOINCREMENT,
  id            TEXT NOT NULL UNIQUE,
  customer_id   TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  panel_id      TEXT NOT NULL,
  number_index  BLOB NOT NULL,
  tell          TEXT NOT NULL,        -- recent, all, none
  revision      INTEGER NOT NULL,     -- of the customer's document that has the panel
  at_ms         INTEGER NOT NULL,
  until_ms      INTEGER NOT NULL,     -- what was received up to then belongs to it
  done_ms       INTEGER               -- NULL: still under way
);
CREATE INDEX adoptions_number ON adoptions(number_index, until_ms);
CREATE INDEX adoptions_open ON adoptions(seq) WHERE done_ms IS NULL;

-- +goose Down
DROP TABLE held;
DROP TABLE adoptions;
