-- The log and what surrounds it. Every text is compared byte by byte ("C"), so that both stores agree.
-- item and message_id have no foreign key to room: the key check would lock the room's row once for
-- each item, and rooms are never deleted.
CREATE TABLE room (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text COLLATE "C" NOT NULL,
    kind          text COLLATE "C" NOT NULL,
    title         text NOT NULL DEFAULT '',
    epoch         text COLLATE "C" NOT NULL,
    head          bigint NOT NULL DEFAULT 0,
    trimmed       bigint NOT NULL DEFAULT 0,
    created_at_ms bigint NOT NULL,
    CONSTRAINT room_name_unique UNIQUE (name),
    CONSTRAINT room_trimmed_below_head CHECK (trimmed >= 0 AND trimmed <= head)
) WITH (fillfactor = 50);
COMMENT ON COLUMN room.head IS 'highest committed offset; in no index, so that an update stays on its page';
COMMENT ON COLUMN room.trimmed IS 'offsets up to this one are no longer kept';

CREATE TABLE item (
    room              bigint NOT NULL,
    item_offset       bigint NOT NULL,
    message_id        text COLLATE "C" NOT NULL,
    time_ms           bigint NOT NULL,
    kind              smallint NOT NULL,
    sender_issuer     text COLLATE "C",
    sender_subject    text COLLATE "C",
    sender_name       text COLLATE "C",
    sender_connection text COLLATE "C",
    sender_info       bytea,
    sender_room_info  bytea,
    gateway           text COLLATE "C",
    data              bytea NOT NULL,
    CONSTRAINT item_place_unique PRIMARY KEY (room, item_offset)
);

CREATE TABLE message_id (
    room        bigint NOT NULL,
    issuer      text COLLATE "C" NOT NULL,
    subject     text COLLATE "C" NOT NULL,
    message_id  text COLLATE "C" NOT NULL,
    item_offset bigint NOT NULL,
    time_ms     bigint NOT NULL,
    digest      bytea NOT NULL,
    CONSTRAINT message_id_unique PRIMARY KEY (room, issuer, subject, message_id)
);
CREATE INDEX message_id_by_time ON message_id (time_ms);

CREATE TABLE member (
    room     bigint NOT NULL REFERENCES room (id),
    issuer   text COLLATE "C" NOT NULL,
    subject  text COLLATE "C" NOT NULL,
    since_ms bigint NOT NULL,
    PRIMARY KEY (room, issuer, subject)
);

CREATE TABLE ban (
    room     bigint NOT NULL REFERENCES room (id),
    issuer   text COLLATE "C" NOT NULL,
    subject  text COLLATE "C" NOT NULL,
    since_ms bigint NOT NULL,
    reason   text NOT NULL,
    PRIMARY KEY (room, issuer, subject)
);

CREATE TABLE gateway_order (
    number  bigint PRIMARY KEY,
    time_ms bigint NOT NULL,
    act     bytea NOT NULL
);
CREATE INDEX gateway_order_by_time ON gateway_order (time_ms);

-- One row. Whoever numbers an order holds it locked until the commit, so orders become visible in
-- the order of their numbers; the number survives the trimming of old orders.
CREATE TABLE order_counter (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    last bigint NOT NULL
);
INSERT INTO order_counter (last) VALUES (0);

CREATE TABLE audit (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time_ms    bigint NOT NULL,
    by_issuer  text NOT NULL,
    by_subject text NOT NULL,
    act        text NOT NULL,
    target     text NOT NULL,
    outcome    text NOT NULL
);
CREATE INDEX audit_by_time ON audit (time_ms);
