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

INSERT INTO account (user_id, changes, doc, password)
SELECT user_id, merged, merged, password FROM (
    SELECT user_id, password, json_patch(coalesce(profile, '{}'), json_object(
        'app_metadata', json(app_metadata), 'user_metadata', json(user_metadata),
        'blocked', CASE blocked WHEN 1 THEN json('true') WHEN 0 THEN json('false') END,
        'logins_count', nullif(logins_count, 0), 'last_login', last_login, 'last_ip', last_ip,
        'updated_at', updated_at)) AS merged
    FROM person ORDER BY created_at);

DROP TABLE person;

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
ALTER TABLE signing_key RENAME TO old_signing_key;

CREATE TABLE signing_key (
    seq        INTEGER PRIMARY KEY,
    pkcs8      BLOB NOT NULL,
    made_at    TEXT NOT NULL,
    current_at TEXT,
    until      TEXT,
    revoked_at TEXT
) STRICT;

INSERT INTO signing_key (pkcs8, made_at, current_at) SELECT pkcs8, made_at, made_at FROM old_signing_key;
DROP TABLE old_signing_key;
