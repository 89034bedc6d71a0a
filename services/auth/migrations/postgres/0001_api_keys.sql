-- API keys: the SHA-256 of a key's secret, never the secret.
CREATE TABLE auth.api_keys (
    key_id        TEXT   PRIMARY KEY,
    secret_hash   BYTEA  NOT NULL CHECK (octet_length(secret_hash) = 32),
    name          TEXT   NOT NULL,
    roles         TEXT   NOT NULL, -- a JSON array of texts
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT,
    revoked_at_ms BIGINT
);

CREATE INDEX api_keys_newest ON auth.api_keys (created_at_ms DESC, key_id);

-- Who made and who ended a key: rows are only added, in the transaction of the act.
CREATE TABLE auth.key_audit (
    number     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms      BIGINT NOT NULL,
    act        TEXT   NOT NULL CHECK (act IN ('create', 'revoke')),
    key_id     TEXT   NOT NULL,
    by_issuer  TEXT   NOT NULL,
    by_subject TEXT   NOT NULL
);
