-- API keys: the SHA-256 of a key's secret, never the secret.
CREATE TABLE api_keys (
    key_id        TEXT    NOT NULL PRIMARY KEY,
    secret_hash   BLOB    NOT NULL CHECK (length(secret_hash) = 32),
    name          TEXT    NOT NULL,
    roles         TEXT    NOT NULL, -- a JSON array of texts
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    revoked_at_ms INTEGER
) STRICT;

CREATE INDEX api_keys_newest ON api_keys (created_at_ms DESC, key_id);

-- Who made and who ended a key: rows are only added, in the transaction of the act.
CREATE TABLE key_audit (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms      INTEGER NOT NULL,
    act        TEXT    NOT NULL CHECK (act IN ('create', 'revoke')),
    key_id     TEXT    NOT NULL,
    by_issuer  TEXT    NOT NULL,
    by_subject TEXT    NOT NULL
) STRICT;
