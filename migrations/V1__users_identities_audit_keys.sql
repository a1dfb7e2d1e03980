-- The first schema. Moments are unix milliseconds; ids of ours are the 16 bytes of a UUIDv7, so that
-- ordering by id is ordering by time of creation and one index serves lookup and keyset pages.
-- An applied migration is never edited (its checksum is kept); the next change is V2.

-- Marks the file as ours ("VEST"), so that a wrong path is refused instead of migrated.
PRAGMA application_id = 0x56455354;

-- One row a person. Rows are never deleted: an erased person leaves a tombstone, else their still-valid token
-- would make them anew.
-- A rowid table: a profile can be tens of kilobytes, which would spoil the fan-out of a WITHOUT ROWID tree.
CREATE TABLE users (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- The identity the row was made with or claimed by. NULL: pre-provisioned, waiting for its person.
    -- Deferred, because the identity in turn names the user.
    auth0_id          TEXT    UNIQUE REFERENCES identities (auth0_id) DEFERRABLE INITIALLY DEFERRED,
    -- In canonical form; NULL rather than '' when there is none, so that two absent emails never collide.
    email             TEXT    CHECK (email <> ''),
    email_verified    INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
    name              TEXT,
    given_name        TEXT,
    family_name       TEXT,
    nickname          TEXT,
    picture           TEXT,
    phone             TEXT,
    status            TEXT    NOT NULL CHECK (status IN ('active', 'blocked', 'erased')),
    roles             TEXT    NOT NULL CHECK (json_valid(roles) AND json_type(roles) = 'array'),
    profile           TEXT    CHECK (json_valid(profile)),
    -- Tokens issued before this moment are revoked.
    tokens_valid_from INTEGER,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    CHECK (email_verified = 0 OR email IS NOT NULL),
    -- Erasing that forgets a column must fail, not half succeed.
    CHECK (status <> 'erased' OR (
        email IS NULL AND name IS NULL AND given_name IS NULL AND family_name IS NULL
        AND nickname IS NULL AND picture IS NULL AND phone IS NULL AND profile IS NULL))
) STRICT;

-- Only verified emails are unique: an unverified sign-up can neither squat an address nor take over its owner's row.
CREATE UNIQUE INDEX users_by_verified_email ON users (email) WHERE email_verified = 1;

-- Pre-provisioned rows are found by email too, verified or not; two of one email would leave open whose claim it is.
CREATE UNIQUE INDEX users_by_unclaimed_email ON users (email) WHERE auth0_id IS NULL;

-- Every Auth0 id that leads to a user, the row's own included: one lookup finds both kinds, and the primary key
-- keeps one identity from ever belonging to two people.
CREATE TABLE identities (
    auth0_id  TEXT    NOT NULL PRIMARY KEY,
    user_id   BLOB    NOT NULL REFERENCES users (id),
    linked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX identities_by_user ON identities (user_id);

-- Who changed what. `changes` holds old and new values; of personal fields only the names, because these lines
-- can not be erased.
CREATE TABLE audit (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    actor_kind TEXT    NOT NULL,
    actor_id   TEXT,
    action     TEXT    NOT NULL,
    target     BLOB    REFERENCES users (id),
    changes    TEXT    NOT NULL CHECK (json_valid(changes) AND json_type(changes) = 'object'),
    request_id TEXT
) STRICT;

CREATE INDEX audit_by_target ON audit (target, id);

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

-- Which users' revocation changed, in order. Every process keeps the revocations in memory and catches up by reading
-- what lies above the `seq` it has seen. Triggers write it, so that no statement, not even one typed into the
-- sqlite3 shell, can block a user without the running doors noticing.
-- One row a user: it stays as small as the set of those who were ever blocked, erased or signed out.
CREATE TABLE revocation_changes (
    user_id BLOB    NOT NULL PRIMARY KEY REFERENCES users (id),
    seq     INTEGER NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

CREATE TRIGGER standing_of_a_user_changes AFTER UPDATE OF status, tokens_valid_from ON users
WHEN OLD.status IS NOT NEW.status OR OLD.tokens_valid_from IS NOT NEW.tokens_valid_from
BEGIN
    INSERT INTO revocation_changes (user_id, seq)
    VALUES (NEW.id, (SELECT coalesce(max(seq), 0) + 1 FROM revocation_changes))
    ON CONFLICT (user_id) DO UPDATE SET seq = excluded.seq;
END;

-- A new way to reach a user who is blocked must be blocked too. Rows are made before their identity,
-- so this also tells of users who are blocked from the start.
CREATE TRIGGER standing_gains_an_identity AFTER INSERT ON identities
WHEN EXISTS (
    SELECT 1 FROM users
    WHERE id = NEW.user_id AND (status <> 'active' OR tokens_valid_from IS NOT NULL))
BEGIN
    INSERT INTO revocation_changes (user_id, seq)
    VALUES (NEW.user_id, (SELECT coalesce(max(seq), 0) + 1 FROM revocation_changes))
    ON CONFLICT (user_id) DO UPDATE SET seq = excluded.seq;
END;

-- The last good signing keys of each issuer: they serve while Auth0 is away. Public keys, nothing secret.
CREATE TABLE signing_keys (
    issuer     TEXT    NOT NULL PRIMARY KEY,
    jwks       TEXT    NOT NULL,
    fetched_at INTEGER NOT NULL
) STRICT;
