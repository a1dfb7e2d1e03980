-- The tables for users, what protects them, and what was done to them.
--
-- Moments are unix milliseconds. Our ids are the 16 bytes of a UUIDv7, so that ordering by id is ordering by time of
-- creation, and one index serves lookup and keyset pages. Ids, moments and random values are made by the program.
-- A migration that has run is never edited (its checksum is kept); the next change is V2.

-- One row per person. Rows are never deleted: an erased user leaves a tombstone, otherwise a token that is still valid
-- would create the user again.
-- A rowid table: a profile can be tens of kilobytes, which would spoil the fan-out of a WITHOUT ROWID tree.
CREATE TABLE users (
    id                 BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- The identity that the row was created with or claimed by. NULL: pre-provisioned, not claimed yet.
    -- Deferred, because the identity in turn references the user.
    auth0_id           TEXT    REFERENCES identities (auth0_id) DEFERRABLE INITIALLY DEFERRED,
    -- In canonical form; NULL rather than '' when absent, so that two absent emails never collide.
    email              TEXT    CHECK (email <> ''),
    email_verified     INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
    name               TEXT,
    given_name         TEXT,
    family_name        TEXT,
    nickname           TEXT,
    picture            TEXT,
    phone              TEXT,
    status             TEXT    NOT NULL CHECK (status IN ('active', 'blocked', 'erased')),
    -- Whether it was Auth0 that blocked the user. What Auth0 blocked it can unblock; what staff blocked only staff can.
    blocked_by_auth0   INTEGER NOT NULL DEFAULT 0 CHECK (blocked_by_auth0 IN (0, 1)),
    roles              TEXT    NOT NULL CHECK (json_valid(roles) AND json_type(roles) = 'array'),
    -- NULL: never fetched. A stale profile is fetched again.
    profile_fetched_at INTEGER,
    -- Tokens issued before this moment are revoked.
    tokens_valid_from  INTEGER,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    -- Behind all others: a large one is kept on pages of its own, which reads of the other columns then never touch.
    profile            TEXT    CHECK (profile IS NULL OR json_valid(profile)),
    -- What lists are ordered by: '' for absent, because a comparison with NULL is never true, so that a page could neither
    -- end nor begin there. Columns, because SQLite uses no index on expressions for (email, id) > (?, ?).
    email_key          TEXT                AS (coalesce(email, '')) VIRTUAL,
    name_key           TEXT COLLATE NOCASE AS (coalesce(name, '')) VIRTUAL,
    CHECK (email_verified = 0 OR email IS NOT NULL),
    -- An erasure that forgets a column must fail, not half succeed.
    CHECK (status <> 'erased' OR (
        email IS NULL AND name IS NULL AND given_name IS NULL AND family_name IS NULL
        AND nickname IS NULL AND picture IS NULL AND phone IS NULL AND profile IS NULL))
) STRICT;

CREATE UNIQUE INDEX users_by_auth0_id ON users (auth0_id);

-- Only verified emails are unique: an unverified sign-up can neither squat an address nor take over its owner's row.
CREATE UNIQUE INDEX users_by_verified_email ON users (email) WHERE email_verified = 1;

-- A pre-provisioned row is claimed by its email, verified or not; with two of one email the claim would be ambiguous.
CREATE UNIQUE INDEX users_by_unclaimed_email ON users (email) WHERE auth0_id IS NULL;

-- Lists are filtered and ordered by these, so that a page costs its length wherever it is. Each ends with the id, which
-- breaks ties.
CREATE INDEX users_by_created_at ON users (created_at, id);
CREATE INDEX users_by_updated_at ON users (updated_at, id);
CREATE INDEX users_by_email ON users (email_key, id);
CREATE INDEX users_by_name ON users (name_key, id);
-- Almost all users are active; lists filter for the others.
CREATE INDEX users_by_status ON users (status, created_at, id) WHERE status <> 'active';
-- For search only, so absent ones are left out.
CREATE INDEX users_by_family_name ON users (family_name COLLATE NOCASE) WHERE family_name IS NOT NULL;

-- Every Auth0 id that leads to a user, including that of the row: one lookup finds both kinds, and the primary key keeps
-- one identity from belonging to two users.
CREATE TABLE identities (
    auth0_id  TEXT    NOT NULL PRIMARY KEY,
    user_id   BLOB    NOT NULL REFERENCES users (id),
    linked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX identities_by_user ON identities (user_id);

-- Identities that were removed from a user, by pseudonym. A token from before is revoked although its identity leads to no
-- user; an identity that is linked again revokes the tokens from before in the row of its user.
CREATE TABLE unlinked_identities (
    auth0_id          TEXT    NOT NULL PRIMARY KEY,
    tokens_valid_from INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- An Auth0 id can contain an email. Where a user was erased, or an identity leads to no user any more, only a pseudonym
-- of the id is kept, by which a returning user is recognised. These are the keys of the pseudonyms. The first one makes
-- new ones; others came with the erasures of a database that a backup of another origin replaced. Empty until the first
-- pseudonym is needed, so that none is computed in vain.
CREATE TABLE pseudonym_keys (
    id  INTEGER NOT NULL PRIMARY KEY,
    key BLOB    NOT NULL UNIQUE CHECK (length(key) = 32)
) STRICT;

-- Which users have a role. Kept by triggers, so that no statement can change `users.roles` alone.
CREATE TABLE user_roles (
    role    TEXT NOT NULL,
    user_id BLOB NOT NULL REFERENCES users (id),
    PRIMARY KEY (role, user_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER roles_of_a_new_user AFTER INSERT ON users WHEN NEW.roles <> '[]'
BEGIN
    INSERT INTO user_roles (role, user_id) SELECT DISTINCT r.value, NEW.id FROM json_each(NEW.roles) r;
END;

CREATE TRIGGER roles_of_a_user_change AFTER UPDATE OF roles ON users WHEN OLD.roles <> NEW.roles
BEGIN
    DELETE FROM user_roles
    WHERE user_id = OLD.id AND role IN (SELECT r.value FROM json_each(OLD.roles) r);
    INSERT INTO user_roles (role, user_id) SELECT DISTINCT r.value, NEW.id FROM json_each(NEW.roles) r;
END;

-- Which versions of the terms a user has accepted, and when first.
CREATE TABLE accepted_terms (
    user_id     BLOB    NOT NULL REFERENCES users (id),
    version     TEXT    NOT NULL CHECK (version <> ''),
    accepted_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, version)
) STRICT, WITHOUT ROWID;

-- Which users changed lately. A process that read a row uses what it read until the row changes.
--
-- The latest changes, in order. Every process keeps in memory up to which `seq` it has read, and forgets all rows when it
-- missed some. Triggers write it, so that no statement but one with OR REPLACE, which fires none for what it deletes, can
-- change or block a user without the running servers noticing, not even one typed into the sqlite3 shell.
CREATE TABLE user_changes (
    seq     INTEGER NOT NULL PRIMARY KEY,
    user_id BLOB    NOT NULL
) STRICT;

CREATE TRIGGER user_changes_are_few AFTER INSERT ON user_changes
BEGIN
    DELETE FROM user_changes WHERE seq <= NEW.seq - 4096;
END;

CREATE TRIGGER user_changes_of_a_user AFTER UPDATE ON users
BEGIN
    INSERT INTO user_changes (user_id) VALUES (OLD.id);
END;

CREATE TRIGGER user_changes_with_a_deleted_user AFTER DELETE ON users
BEGIN
    INSERT INTO user_changes (user_id) VALUES (OLD.id);
END;

CREATE TRIGGER user_changes_with_an_unlinked_identity AFTER DELETE ON identities
BEGIN
    INSERT INTO user_changes (user_id) VALUES (OLD.user_id);
END;

CREATE TRIGGER user_changes_with_a_moved_identity AFTER UPDATE OF auth0_id, user_id ON identities
BEGIN
    INSERT INTO user_changes (user_id) VALUES (OLD.user_id);
END;

-- Who changed what. `changes` holds old and new values; of personal fields only the names, because these lines cannot be
-- erased. `hash` is SHA-256 over the hash of the previous line (32 zeros for the first) and the line itself, so that a line
-- that was changed, removed or inserted by hand breaks the chain from there on. The program's documentation of the chain
-- says over what exactly.
CREATE TABLE audit (
    id         INTEGER NOT NULL PRIMARY KEY,
    at         INTEGER NOT NULL,
    actor_kind TEXT    NOT NULL,
    actor_id   TEXT,
    action     TEXT    NOT NULL,
    target     BLOB    REFERENCES users (id),
    changes    TEXT    NOT NULL CHECK (json_valid(changes) AND json_type(changes) = 'object'),
    request_id TEXT,
    hash       BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE INDEX audit_by_target ON audit (target, id);
CREATE INDEX audit_by_action ON audit (action, id);

CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- INSERT OR REPLACE deletes without firing DELETE triggers (unless recursive_triggers is on).
CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- Users that were created by a mutation with an idempotency key, remembered for a day: a repetition returns the same user.
CREATE TABLE idempotency_keys (
    actor      TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    user_id    BLOB    NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);

-- Blocks and unblocks that Auth0 has yet to receive. One row per identity, so that only the latest is sent. It survives a
-- restart.
CREATE TABLE block_outbox (
    auth0_id    TEXT    NOT NULL PRIMARY KEY,
    blocked     INTEGER NOT NULL CHECK (blocked IN (0, 1)),
    enqueued_at INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    -- The next attempt is not made before.
    due_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX block_outbox_by_due ON block_outbox (due_at);

-- The last good signing keys of each issuer: they serve while Auth0 is unreachable. Public keys, no secrets.
CREATE TABLE signing_keys (
    issuer     TEXT    NOT NULL PRIMARY KEY,
    jwks       TEXT    NOT NULL,
    fetched_at INTEGER NOT NULL
) STRICT;

-- What was deployed to which tenant, by whom, and the outcome.
CREATE TABLE deployments (
    id          INTEGER NOT NULL PRIMARY KEY,
    tenant      TEXT    NOT NULL CHECK (tenant <> ''),
    -- The branch or tag, and the commit, when it came from a repository.
    git_ref     TEXT,
    git_commit  TEXT,
    actor_kind  TEXT    NOT NULL,
    actor_id    TEXT,
    -- The number of planned changes.
    changes     INTEGER NOT NULL CHECK (changes >= 0),
    begun_at    INTEGER NOT NULL,
    -- A running deployment moves this forward. One that was killed does not, so that a deployment without an outcome is
    -- over after this moment.
    alive_until INTEGER NOT NULL,
    ended_at    INTEGER,
    outcome     TEXT    CHECK (outcome IN ('applied', 'failed', 'rolled_back')),
    -- Why it failed.
    message     TEXT,
    -- The target's name in the configuration.
    target      TEXT,
    -- Whether the bundle was deployed without its tests.
    untested    INTEGER NOT NULL DEFAULT 0 CHECK (untested IN (0, 1)),
    -- The deployment that this one undoes.
    undoes      INTEGER REFERENCES deployments (id),
    CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    CHECK ((coalesce(outcome, '') = 'failed') = (message IS NOT NULL))
) STRICT;

CREATE INDEX deployments_by_tenant ON deployments (tenant, id);
CREATE INDEX deployments_by_outcome ON deployments (outcome, id);

-- What a deployment planned, and the tenant's state before and after it, as JSON. Of each tenant those of the last 50
-- deployments are kept.
CREATE TABLE deployment_records (
    deployment_id INTEGER NOT NULL PRIMARY KEY REFERENCES deployments (id),
    plan          TEXT    NOT NULL CHECK (json_valid(plan)),
    state_before  TEXT    NOT NULL CHECK (json_valid(state_before)),
    -- NULL until it succeeded.
    state_after   TEXT    CHECK (state_after IS NULL OR json_valid(state_after))
) STRICT;

-- What a deployment did, line by line.
CREATE TABLE deployment_log (
    deployment_id INTEGER NOT NULL REFERENCES deployments (id),
    number        INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    line          TEXT    NOT NULL,
    PRIMARY KEY (deployment_id, number)
) STRICT, WITHOUT ROWID;

-- Which values the secrets of scripts (actions/NAME, action-modules/NAME) were deployed with: an HMAC of each, whose key is not in
-- this file. Auth0 never returns the values.
CREATE TABLE deployed_secrets (
    tenant TEXT NOT NULL,
    script TEXT NOT NULL,
    name   TEXT NOT NULL,
    hash   TEXT NOT NULL,
    PRIMARY KEY (tenant, script, name)
) STRICT, WITHOUT ROWID;

-- Requests for deployments, by webhooks and callers. One without an outcome waits, or is being worked on: after a crash it is
-- tried again. Of those with an outcome the last 1,000 are kept, so that a delivery that is sent again does nothing.
CREATE TABLE deployment_requests (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- The forge's id of the delivery, if it came by a webhook.
    delivery    TEXT,
    -- The target's name in the configuration.
    target      TEXT    NOT NULL CHECK (target <> ''),
    branch      TEXT    NOT NULL,
    git_commit  TEXT    NOT NULL,
    forced      INTEGER NOT NULL CHECK (forced IN (0, 1)),
    actor_kind  TEXT    NOT NULL,
    actor_id    TEXT,
    received_at INTEGER NOT NULL,
    -- The next attempt is not made before.
    due_at      INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    ended_at    INTEGER,
    outcome     TEXT    CHECK (outcome IN ('deployed', 'unchanged', 'superseded', 'failed')),
    message     TEXT,
    -- Whether the forge has the outcome as the status of the commit.
    reported    INTEGER NOT NULL DEFAULT 0 CHECK (reported IN (0, 1)),
    CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    CHECK ((outcome IS NULL) = (message IS NULL)),
    UNIQUE (delivery, target)
) STRICT;

CREATE INDEX deployment_requests_by_target ON deployment_requests (target, id) WHERE outcome IS NULL;
