-- Which users changed lately. A process that read a row uses what it read until the row changes.
--
-- The latest changes, in order. Every process keeps in memory up to which `seq` it has read, and forgets all rows when it
-- missed some. Triggers write it, so that no statement, not even one typed into the sqlite3 shell, can change or block a
-- user without the running servers noticing.
CREATE TABLE user_changes (
    seq     INTEGER NOT NULL PRIMARY KEY,
    user_id BLOB    NOT NULL
) STRICT;

CREATE TRIGGER user_changes_are_few AFTER INSERT ON user_changes
BEGIN
    DELETE FROM user_changes WHERE seq <= NEW.seq - 4096;
END;

-- All columns but those of the profile, which no token carries.
CREATE TRIGGER user_changes_of_a_user
AFTER UPDATE OF auth0_id, email, email_verified, name, given_name, family_name, nickname, picture, phone, status, roles,
                tokens_valid_from, updated_at ON users
BEGIN
    INSERT INTO user_changes (user_id) VALUES (NEW.id);
END;

CREATE TRIGGER user_changes_with_an_unlinked_identity AFTER DELETE ON identities
BEGIN
    INSERT INTO user_changes (user_id) VALUES (OLD.user_id);
END;

CREATE TRIGGER user_changes_with_a_moved_identity AFTER UPDATE OF auth0_id, user_id ON identities
BEGIN
    INSERT INTO user_changes (user_id) VALUES (OLD.user_id);
END;

-- It replaces the memory of all users who were ever blocked, erased or signed out.
DROP TRIGGER revocation_changes_of_a_user;
DROP TRIGGER revocation_changes_with_a_new_identity;
DROP TRIGGER revocation_changes_with_a_moved_identity;
DROP TABLE revocation_changes;

-- Without `seq`: an identity that is linked again revokes the tokens from before in the row of its user.
ALTER TABLE unlinked_identities RENAME TO unlinked_before;
CREATE TABLE unlinked_identities (
    auth0_id          TEXT    NOT NULL PRIMARY KEY,
    tokens_valid_from INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO unlinked_identities SELECT auth0_id, tokens_valid_from FROM unlinked_before;
DROP TABLE unlinked_before;

-- Whether it was Auth0 that blocked the user. What Auth0 blocked it can unblock; what staff blocked only staff can.
ALTER TABLE users ADD COLUMN blocked_by_auth0 INTEGER NOT NULL DEFAULT 0 CHECK (blocked_by_auth0 IN (0, 1));
