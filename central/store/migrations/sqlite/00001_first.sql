-- +goose Up
-- Times are integer Unix milliseconds, booleans 0 or 1. Columns named sealed_*
-- hold seal.SealColumn under the customer's key (under central's own where the
-- row has no customer); columns named *_index hold seal.Key.Index. Nothing
-- personal stands outside them: ids are random, positions are the mesh's.

CREATE TABLE customers (
  id            TEXT PRIMARY KEY,
  language      TEXT NOT NULL,
  revision      INTEGER NOT NULL DEFAULT 0, -- of the roster document, rises with every change
  created_ms    INTEGER NOT NULL
);

CREATE TABLE users (
  id            TEXT PRIMARY KEY,
  customer_id   TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  login_index   BLOB NOT NULL UNIQUE, -- e-mail in lower case, under central's key
  sealed_email  BLOB NOT NULL,
  sealed_hash   BLOB NOT NULL,        -- argon2id string, under the customer's key
  role          TEXT NOT NULL,
  created_ms    INTEGER NOT NULL
);

-- Kept until log-out or expiry, then deleted.
CREATE TABLE sessions (
  token_hash    BLOB PRIMARY KEY,     -- SHA-256 of the cookie's value
  user_id       TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  created_ms    INTEGER NOT NULL,
  seen_ms       INTEGER NOT NULL,
  expires_ms    INTEGER NOT NULL,
  sealed_client BLOB NOT NULL         -- address and user agent, for the user's own list
);
CREATE INDEX sessions_user ON sessions(user_id);

CREATE TABLE api_keys (
  id            TEXT PRIMARY KEY,
  customer_id   TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  hash          BLOB NOT NULL UNIQUE, -- SHA-256 of the whole key
  scopes        TEXT NOT NULL,        -- separated by spaces
  created_ms    INTEGER NOT NULL,
  expires_ms    INTEGER               -- NULL: never
);

CREATE TABLE panels (
  id            TEXT PRIMARY KEY,
  customer_id   TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  unique_index  BLOB NOT NULL UNIQUE, -- listener, prefix, receiver, account, under central's key
  account_index BLOB NOT NULL,        -- account in upper case, under the customer's key
  sealed_body   BLOB NOT NULL,        -- roster.Panel
  created_ms    INTEGER NOT NULL
);
CREATE INDEX panels_customer ON panels(customer_id);

CREATE TABLE contacts (
  id            TEXT PRIMARY KEY,
  customer_id   TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  sealed_body   BLOB NOT NULL,        -- roster.Contact: Fernet tokens under the contact's own key
  created_ms    INTEGER NOT NULL
);
CREATE INDEX contacts_customer ON contacts(customer_id);

CREATE TABLE rules (
  id            TEXT PRIMARY KEY,
  customer_id   TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  sealed_body   BLOB NOT NULL,        -- roster.Rule
  created_ms    INTEGER NOT NULL
);
CREATE INDEX rules_customer ON rules(customer_id);

-- What must still reach the mesh: written with the change it stands for.
CREATE TABLE outbox (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  customer_id   TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  revision      INTEGER NOT NULL,
  created_ms    INTEGER NOT NULL,
  sent_ms       INTEGER,              -- NULL: the mesh has not acknowledged it
  mesh_index    INTEGER               -- agreement index of the acknowledgement
);
CREATE INDEX outbox_unsent ON outbox(sent_ms, customer_id);

-- How far each origin of the mesh is here; moves with what it brought.
CREATE TABLE cursors (
  origin        TEXT PRIMARY KEY,
  number        INTEGER NOT NULL,
  hash          BLOB NOT NULL         -- running hash after that number
);

-- Journal entries as received, sealed (wire/mesh). Retention: by contract,
-- enforced with the privacy part.
CREATE TABLE entries (
  origin        TEXT NOT NULL,
  number        INTEGER NOT NULL,
  day           INTEGER NOT NULL,
  record        BLOB NOT NULL,
  ruling        TEXT,                 -- NULL: not decided yet
  copy_origin   TEXT,                 -- of the entry that it repeats
  copy_number   INTEGER,
  PRIMARY KEY (origin, number)
);
CREATE INDEX entries_copy ON entries(copy_origin, copy_number);

-- Decisions that can't be applied yet. awaits: "entry POSITION", "ruling
-- POSITION", "notification ID", "customer ID", "key HEX", or "repair: " and
-- why it can't be applied.
CREATE TABLE waiting (
  origin        TEXT NOT NULL,        -- of the decision
  number        INTEGER NOT NULL,
  awaits        TEXT NOT NULL,
  record        BLOB NOT NULL,
  PRIMARY KEY (origin, number)
);
CREATE INDEX waiting_awaits ON waiting(awaits);

CREATE TABLE events (
  seq           INTEGER PRIMARY KEY AUTOINCREMENT, -- order of arrival here
  id            TEXT NOT NULL UNIQUE, -- decision.EventID
  customer_id   TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  entry_origin  TEXT NOT NULL,
  entry_number  INTEGER NOT NULL,
  account_index BLOB NOT NULL,
  received_ms   INTEGER NOT NULL,
  copies        INTEGER NOT NULL,     -- 1: no repeat
  sealed_body   BLOB NOT NULL         -- history.EventBody
);
CREATE INDEX events_customer ON events(customer_id, received_ms, seq);
CREATE INDEX events_account ON events(customer_id, account_index, received_ms, seq);
CREATE INDEX events_entry ON events(entry_origin, entry_number);

CREATE TABLE notifications (
  seq           INTEGER PRIMARY KEY AUTOINCREMENT,
  id            TEXT NOT NULL UNIQUE, -- decision.NotificationID
  customer_id   TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  event_id      TEXT NOT NULL REFERENCES events(id) ON DELETE CASCADE,
  planned_ms    INTEGER NOT NULL,     -- agreement's clock
  state         TEXT NOT NULL,
  attempts      INTEGER NOT NULL,
  sealed_body   BLOB NOT NULL         -- history.NotificationBody
);
CREATE INDEX notifications_customer ON notifications(customer_id, planned_ms, seq);
CREATE INDEX notifications_event ON notifications(event_id);

-- What changed, in order: followed by the live page and the API's stream.
CREATE TABLE changes (
  seq           INTEGER PRIMARY KEY AUTOINCREMENT,
  customer_id   TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  name          TEXT NOT NULL,        -- event or notification
  ref           TEXT NOT NULL         -- its id
);
CREATE INDEX changes_customer ON changes(customer_id, seq);

-- +goose Down
DROP TABLE changes;
DROP TABLE notifications;
DROP TABLE events;
DROP TABLE waiting;
DROP TABLE entries;
DROP TABLE cursors;
DROP TABLE outbox;
DROP TABLE rules;
DROP TABLE contacts;
DROP TABLE panels;
DROP TABLE api_keys;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE customers;
