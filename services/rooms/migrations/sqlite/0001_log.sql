-- The log and what surrounds it, for one machine. The same tables and columns as in PostgreSQL.
CREATE TABLE room (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL UNIQUE,
    kind          TEXT NOT NULL,
    title         TEXT NOT NULL DEFAULT '',
    epoch         TEXT NOT NULL,
    head          INTEGER NOT NULL DEFAULT 0,
    trimmed       INTEGER NOT NULL DEFAULT 0 CHECK (trimmed >= 0 AND trimmed <= head),
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE item (
    room              INTEGER NOT NULL,
    item_offset       INTEGER NOT NULL,
    message_id        TEXT NOT NULL,
    time_ms           INTEGER NOT NULL,
    kind              INTEGER NOT NULL,
    sender_issuer     TEXT,
    sender_subject    TEXT,
    sender_name       TEXT,
    sender_connection TEXT,
    sender_info       BLOB,
    sender_room_info  BLOB,
    gateway           TEXT,
    data              BLOB NOT NULL,
    PRIMARY KEY (room, item_offset)
) STRICT;

CREATE TABLE message_id (
    room        INTEGER NOT NULL,
    issuer      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    message_id  TEXT NOT NULL,
    item_offset INTEGER NOT NULL,
    time_ms     INTEGER NOT NULL,
    digest      BLOB NOT NULL,
    PRIMARY KEY (room, issuer, subject, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_id_by_time ON message_id (time_ms);

CREATE TABLE member (
    room     INTEGER NOT NULL REFERENCES room (id),
    issuer   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (room, issuer, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE ban (
    room     INTEGER NOT NULL REFERENCES room (id),
    issuer   TEXT NOT NULL,
    subject  TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    PRIMARY KEY (room, issuer, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE gateway_order (
    number  INTEGER PRIMARY KEY,
    time_ms INTEGER NOT NULL,
    act     BLOB NOT NULL
) STRICT;
CREATE INDEX gateway_order_by_time ON gateway_order (time_ms);

-- One row: the number survives the trimming of old orders.
CREATE TABLE order_counter (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL
) STRICT;
INSERT INTO order_counter (one, last) VALUES (1, 0);

CREATE TABLE audit (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ms    INTEGER NOT NULL,
    by_issuer  TEXT NOT NULL,
    by_subject TEXT NOT NULL,
    act        TEXT NOT NULL,
    target     TEXT NOT NULL,
    outcome    TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (time_ms);
