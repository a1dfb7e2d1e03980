-- What lists are made from, and what repeated mutations are known by.

-- What lists of users are filtered and ordered by, so that a page costs its length wherever it is.
-- Each index ends with the id, which breaks ties: two users never stand in the same place.

-- What texts are ordered by: '' for absent, because SQLite compares NULL with nothing, so that a page could neither
-- end nor begin there. Columns, since of expressions SQLite uses no index for pairs such as (email, id) > (?, ?).
ALTER TABLE users ADD COLUMN email_key TEXT AS (ifnull(email, '')) VIRTUAL;
ALTER TABLE users ADD COLUMN name_key TEXT COLLATE NOCASE AS (ifnull(name, '')) VIRTUAL;

CREATE INDEX users_by_created_at ON users (created_at, id);
CREATE INDEX users_by_updated_at ON users (updated_at, id);
CREATE INDEX users_by_email ON users (email_key, id);
CREATE INDEX users_by_name ON users (name_key, id);
-- Nearly everybody is active; the others are looked for.
CREATE INDEX users_by_status ON users (status, created_at, id) WHERE status <> 'active';
-- For the search only, so those without are left out.
CREATE INDEX users_by_family_name ON users (family_name COLLATE NOCASE) WHERE family_name IS NOT NULL;

-- Who has a role. Kept by triggers, so that no statement can change `users.roles` alone.
CREATE TABLE user_roles (
    role    TEXT NOT NULL,
    user_id BLOB NOT NULL REFERENCES users (id),
    PRIMARY KEY (role, user_id)
) STRICT, WITHOUT ROWID;

INSERT INTO user_roles (role, user_id)
SELECT DISTINCT r.value, u.id FROM users u, json_each(u.roles) r;

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

-- Users that were made by a mutation with an id of its client's, remembered for a day: a repetition gives the same user.
CREATE TABLE creations (
    actor    TEXT    NOT NULL,
    mutation TEXT    NOT NULL,
    user_id  BLOB    NOT NULL REFERENCES users (id),
    at       INTEGER NOT NULL,
    PRIMARY KEY (actor, mutation)
) STRICT, WITHOUT ROWID;

CREATE INDEX creations_by_time ON creations (at);
