-- The dev tenant's own state. The bundle is not copied here: it is read at every start, so that editing a file and
-- starting again is enough. These tables hold what changed since. Remove the file to start afresh.

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

-- What the Management API and logins change. The bundle is the base: `reset` empties these tables, and the bundle counts
-- again.

-- The users, all of them. `base` is the user as the bundle has it, `changes` the members set since (null: removed), `doc`
-- both together. Members that begin with `_` are relations: roles, permissions, organizations.
CREATE TABLE account (
    seq      INTEGER PRIMARY KEY,
    user_id  TEXT NOT NULL UNIQUE,
    base     TEXT,
    changes  TEXT NOT NULL DEFAULT '{}',
    doc      TEXT NOT NULL DEFAULT '{}',
    password TEXT,
    deleted  INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1))
) STRICT;

CREATE INDEX account_by_email ON account (lower(doc ->> '$.email'));
CREATE INDEX account_by_username ON account (lower(doc ->> '$.username'));

-- The other objects: members that were changed (null: removed) of an object of the bundle, or an object that was created.
-- `changes` is NULL when the object was deleted.
CREATE TABLE object (
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    changes TEXT,
    UNIQUE (kind, id)
) STRICT;

-- The feed of `/api/v2/events`, the log of `/api/v2/logs`. The oldest rows are deleted.
CREATE TABLE event (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE log (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id TEXT,
    body    TEXT NOT NULL
) STRICT;

CREATE INDEX log_by_user ON log (user_id, seq);

-- Signing keys (PKCS#8): the current one has the latest `current_at`; the next one has none yet.
CREATE TABLE signing_key (
    seq        INTEGER PRIMARY KEY,
    pkcs8      BLOB NOT NULL,
    made_at    TEXT NOT NULL,
    current_at TEXT,
    until      TEXT,
    revoked_at TEXT
) STRICT;
