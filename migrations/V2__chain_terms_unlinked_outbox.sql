-- The audit trail becomes a hash chain, and a user can accept terms, lose an identity, and be blocked at Auth0 too.

-- `hash` is SHA-256 over the hash of the line before (32 zeros for the first) and the line itself, so that a line
-- changed, removed or slipped in by hand breaks the chain from there on. `src/store/chain.rs` says exactly over what.
-- SQLite can not add a NOT NULL column to rows that are there, so the table is made anew.
CREATE TABLE chained (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    actor_kind TEXT    NOT NULL,
    actor_id   TEXT,
    action     TEXT    NOT NULL,
    target     BLOB    REFERENCES users (id),
    changes    TEXT    NOT NULL CHECK (json_valid(changes) AND json_type(changes) = 'object'),
    request_id TEXT,
    hash       BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- `audit_hash` is a function of ours, known to the connection that migrates and to no other.
INSERT INTO chained
WITH RECURSIVE chain (id, hash) AS (
    SELECT id, audit_hash(NULL, id, at, actor_kind, actor_id, action, target, changes, request_id)
    FROM audit WHERE id = (SELECT min(id) FROM audit)
    UNION ALL
    SELECT a.id, audit_hash(c.hash, a.id, a.at, a.actor_kind, a.actor_id, a.action, a.target, a.changes, a.request_id)
    FROM chain c JOIN audit a ON a.id = (SELECT min(id) FROM audit WHERE id > c.id)
)
SELECT a.*, c.hash FROM chain c JOIN audit a ON a.id = c.id;

DROP TABLE audit;
ALTER TABLE chained RENAME TO audit;

CREATE INDEX audit_by_target ON audit (target, id);
CREATE INDEX audit_by_action ON audit (action, id);

CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;

-- INSERT OR REPLACE deletes without firing DELETE triggers (unless recursive_triggers is on).
CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;

-- Which versions of the terms a user has agreed to, and when.
CREATE TABLE accepted_terms (
    user_id     BLOB    NOT NULL REFERENCES users (id),
    version     TEXT    NOT NULL CHECK (version <> ''),
    accepted_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, version)
) STRICT, WITHOUT ROWID;

-- Identities that were taken from a user. A token from before may still carry that user in its payload, which is
-- believed without a query, so it must be revoked although its identity leads to nobody, or to somebody else.
-- `seq` as in revocation_changes: what other processes catch up by.
CREATE TABLE unlinked_identities (
    auth0_id          TEXT    NOT NULL PRIMARY KEY,
    tokens_valid_from INTEGER NOT NULL,
    seq               INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

-- An identity that moves to a user who is blocked or signed out is blocked or signed out too.
CREATE TRIGGER standing_takes_over_an_identity AFTER UPDATE OF user_id ON identities
WHEN EXISTS (
    SELECT 1 FROM users
    WHERE id = NEW.user_id AND (status <> 'active' OR tokens_valid_from IS NOT NULL))
BEGIN
    INSERT INTO revocation_changes (user_id, seq)
    VALUES (NEW.user_id, (SELECT coalesce(max(seq), 0) + 1 FROM revocation_changes))
    ON CONFLICT (user_id) DO UPDATE SET seq = excluded.seq;
END;

-- What Auth0 has yet to be told: whether an identity is blocked there. One row an identity, so that the last wish is
-- the one that is sent. It outlives a restart.
CREATE TABLE auth0_blocks (
    auth0_id   TEXT    NOT NULL PRIMARY KEY,
    blocked    INTEGER NOT NULL CHECK (blocked IN (0, 1)),
    wished_at  INTEGER NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0,
    -- Not to be tried before.
    due_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX auth0_blocks_by_due ON auth0_blocks (due_at);

-- When `profile` was last fetched; NULL when it never was. A profile that is too old is fetched anew.
ALTER TABLE users ADD COLUMN profile_fetched_at INTEGER;
UPDATE users SET profile_fetched_at = created_at WHERE profile IS NOT NULL;
