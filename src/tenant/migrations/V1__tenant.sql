-- The dev tenant's own state. The bundle is not copied here: it is read afresh at every start, so that editing a
-- file and starting again is enough. What stands here is what happened since.

-- One row: the signing key (PKCS#8), kept so that tokens and cached key sets survive a restart.
CREATE TABLE signing_key (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    pkcs8   BLOB NOT NULL,
    made_at TEXT NOT NULL
) STRICT;

-- What is known of a person beyond the bundle. `profile`, `email` and `password` are set for those who signed up here.
-- Metadata is NULL until it is first set: Auth0 leaves the member out then, and rules see `undefined`.
CREATE TABLE person (
    user_id       TEXT PRIMARY KEY,
    profile       TEXT,
    email         TEXT UNIQUE,
    password      TEXT,
    app_metadata  TEXT,
    user_metadata TEXT,
    logins_count  INTEGER NOT NULL DEFAULT 0,
    last_login    TEXT,
    last_ip       TEXT,
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL
) STRICT;

-- Everything that is handed out as a random text and given back later: codes, sessions, logins under way, opaque
-- access tokens. Only the SHA-256 of the text is kept.
CREATE TABLE ticket (
    kind       TEXT NOT NULL,
    hash       BLOB NOT NULL,
    body       TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (kind, hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX ticket_by_age ON ticket (expires_at);
