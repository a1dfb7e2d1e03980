-- Refresh tokens. All tokens of one login are a family: a row. Their texts begin with the family's name, so a text that is not
-- among the family's current `tokens` was rotated before (RFC 9700, section 4.14.2). Only hashes are kept.
CREATE TABLE refresh_family (
    family     BLOB PRIMARY KEY,
    user_id    TEXT NOT NULL,
    client_id  TEXT NOT NULL,
    -- JSON: the login's audience, scopes and session.
    login      TEXT NOT NULL,
    -- JSON: a list of hashes, each with the time when it was rotated, or null.
    tokens     TEXT NOT NULL,
    -- Unix seconds. The first is NULL when the tokens do not expire.
    ends_at    INTEGER,
    used_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_family_by_user ON refresh_family (user_id, client_id);
CREATE INDEX refresh_family_by_age ON refresh_family (used_at);

-- One row: the certificate authority of the https listener. Machines that trust it keep trusting it after a restart.
CREATE TABLE tls_authority (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    key         TEXT NOT NULL,
    certificate TEXT NOT NULL
) STRICT;
