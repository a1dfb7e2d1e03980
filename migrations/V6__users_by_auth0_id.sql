-- The uniqueness of users.auth0_id becomes an index with a name, which an import of very many users can lay aside; that of
-- a constraint can not be. SQLite has no way to drop a constraint, so the table is made anew.
--
-- Foreign keys are off while migrations run: dropping a table deletes its rows first, and others name them.

-- They look into the table that is dropped.
DROP TRIGGER standing_gains_an_identity;
DROP TRIGGER standing_takes_over_an_identity;

CREATE TABLE users_anew (
    id                 BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- The identity the row was made with or claimed by. NULL: pre-provisioned, waiting for its person.
    -- Deferred, because the identity in turn names the user.
    auth0_id           TEXT    REFERENCES identities (auth0_id) DEFERRABLE INITIALLY DEFERRED,
    -- In canonical form; NULL rather than '' when there is none, so that two absent emails never collide.
    email              TEXT    CHECK (email <> ''),
    email_verified     INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
    name               TEXT,
    given_name         TEXT,
    family_name        TEXT,
    nickname           TEXT,
    picture            TEXT,
    phone              TEXT,
    status             TEXT    NOT NULL CHECK (status IN ('active', 'blocked', 'erased')),
    roles              TEXT    NOT NULL CHECK (json_valid(roles) AND json_type(roles) = 'array'),
    profile            TEXT    CHECK (json_valid(profile)),
    -- When `profile` was last fetched; NULL when it never was. A profile that is too old is fetched anew.
    profile_fetched_at INTEGER,
    -- Tokens issued before this moment are revoked.
    tokens_valid_from  INTEGER,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    -- What texts are ordered by, see V3.
    email_key          TEXT                AS (ifnull(email, '')) VIRTUAL,
    name_key           TEXT COLLATE NOCASE AS (ifnull(name, '')) VIRTUAL,
    CHECK (email_verified = 0 OR email IS NOT NULL),
    -- Erasing that forgets a column must fail, not half succeed.
    CHECK (status <> 'erased' OR (
        email IS NULL AND name IS NULL AND given_name IS NULL AND family_name IS NULL
        AND nickname IS NULL AND picture IS NULL AND phone IS NULL AND profile IS NULL))
) STRICT;

INSERT INTO users_anew (id, auth0_id, email, email_verified, name, given_name, family_name, nickname, picture, phone,
                        status, roles, profile, profile_fetched_at, tokens_valid_from, created_at, updated_at)
SELECT id, auth0_id, email, email_verified, name, given_name, family_name, nickname, picture, phone,
       status, roles, profile, profile_fetched_at, tokens_valid_from, created_at, updated_at
FROM users ORDER BY rowid;

DROP TABLE users;
ALTER TABLE users_anew RENAME TO users;

CREATE UNIQUE INDEX users_by_auth0_id ON users (auth0_id);

-- The rest is as V1 to V3 have it.

CREATE UNIQUE INDEX users_by_verified_email ON users (email) WHERE email_verified = 1;
CREATE UNIQUE INDEX users_by_unclaimed_email ON users (email) WHERE auth0_id IS NULL;
CREATE INDEX users_by_created_at ON users (created_at, id);
CREATE INDEX users_by_updated_at ON users (updated_at, id);
CREATE INDEX users_by_email ON users (email_key, id);
CREATE INDEX users_by_name ON users (name_key, id);
CREATE INDEX users_by_status ON users (status, created_at, id) WHERE status <> 'active';
CREATE INDEX users_by_family_name ON users (family_name COLLATE NOCASE) WHERE family_name IS NOT NULL;

CREATE TRIGGER standing_of_a_user_changes AFTER UPDATE OF status, tokens_valid_from ON users
WHEN OLD.status IS NOT NEW.status OR OLD.tokens_valid_from IS NOT NEW.tokens_valid_from
BEGIN
    INSERT INTO revocation_changes (user_id, seq)
    VALUES (NEW.id, (SELECT coalesce(max(seq), 0) + 1 FROM revocation_changes))
    ON CONFLICT (user_id) DO UPDATE SET seq = excluded.seq;
END;

CREATE TRIGGER standing_gains_an_identity AFTER INSERT ON identities
WHEN EXISTS (
    SELECT 1 FROM users
    WHERE id = NEW.user_id AND (status <> 'active' OR tokens_valid_from IS NOT NULL))
BEGIN
    INSERT INTO revocation_changes (user_id, seq)
    VALUES (NEW.user_id, (SELECT coalesce(max(seq), 0) + 1 FROM revocation_changes))
    ON CONFLICT (user_id) DO UPDATE SET seq = excluded.seq;
END;

CREATE TRIGGER standing_takes_over_an_identity AFTER UPDATE OF user_id ON identities
WHEN EXISTS (
    SELECT 1 FROM users
    WHERE id = NEW.user_id AND (status <> 'active' OR tokens_valid_from IS NOT NULL))
BEGIN
    INSERT INTO revocation_changes (user_id, seq)
    VALUES (NEW.user_id, (SELECT coalesce(max(seq), 0) + 1 FROM revocation_changes))
    ON CONFLICT (user_id) DO UPDATE SET seq = excluded.seq;
END;

CREATE TRIGGER roles_of_a_new_user AFTER INSERT ON users WHEN NEW.roles <> '[]'
BEGIN
    INSERT OR IGNORE INTO user_roles (role, user_id) SELECT r.value, NEW.id FROM json_each(NEW.roles) r;
END;

CREATE TRIGGER roles_of_a_user_change AFTER UPDATE OF roles ON users WHEN OLD.roles <> NEW.roles
BEGIN
    DELETE FROM user_roles
    WHERE user_id = OLD.id AND role IN (SELECT r.value FROM json_each(OLD.roles) r);
    INSERT OR IGNORE INTO user_roles (role, user_id) SELECT r.value, NEW.id FROM json_each(NEW.roles) r;
END;
