-- The dev tenant's own state. The bundle is not copied here: it is read at every start, so that editing a file and
-- starting again is enough. These tables hold what changed since. Remove the file to start afresh.

-- One row: the signing key (PKCS#8), kept so that tokens and cached key sets survive a restart.
CREATE TABLE signing_key (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    pkcs8   BLOB NOT NULL,
    made_at TEXT NOT NULL
) STRICT;

-- What a user has beyond the bundle. `profile`, `email` and `password` are set for users who signed up here.
-- Metadata is NULL until it is first set: Auth0 omits the member then, and rules see `undefined`.
CREATE TABLE person (
    user_id       TEXT PRIMARY KEY,
    profile       TEXT,
    email         TEXT UNIQUE,
    password      TEXT,
    app_metadata  TEXT,
    user_metadata TEXT,
    -- Set by the Management API; NULL: as in the bundle.
    blocked       INTEGER CHECK (blocked IN (0, 1)),
    logins_count  INTEGER NOT NULL DEFAULT 0,
    last_login    TEXT,
    last_ip       TEXT,
    created_at    TEXT NOT NULL,
    updated_at    TEXT NOT NULL
) STRICT;

-- Random texts that are issued and presented later: codes, sessions, login attempts, opaque access tokens. Only the SHA-256 of
-- the text is kept.
CREATE TABLE ticket (
    kind       TEXT NOT NULL,
    hash       BLOB NOT NULL,
    body       TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (kind, hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX ticket_by_age ON ticket (expires_at);
