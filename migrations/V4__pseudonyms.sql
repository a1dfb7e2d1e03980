-- An Auth0 id can contain an email. Where somebody was erased, or an identity leads to nobody any more, the id itself is
-- not kept: only a pseudonym, by which it is still known when it comes back. `src/store/pseudonym.rs` says which.

-- What pseudonyms are made with. The first one makes new ones; the others came with the erasures of a database that was
-- replaced by a backup of another origin. Empty until the first is needed, so that nobody computes one in vain.
CREATE TABLE pseudonym_keys (
    id  INTEGER NOT NULL PRIMARY KEY,
    key BLOB    NOT NULL UNIQUE CHECK (length(key) = 32)
) STRICT;

INSERT INTO pseudonym_keys (key) SELECT randomblob(32)
WHERE EXISTS (SELECT 1 FROM users WHERE status = 'erased') OR EXISTS (SELECT 1 FROM unlinked_identities);

-- `pseudonym` is a function of ours. Foreign keys are deferred, so a row may go before the one that names it.
UPDATE identities SET auth0_id = pseudonym((SELECT key FROM pseudonym_keys), auth0_id)
WHERE user_id IN (SELECT id FROM users WHERE status = 'erased');

UPDATE users SET auth0_id = pseudonym((SELECT key FROM pseudonym_keys), auth0_id)
WHERE status = 'erased' AND auth0_id IS NOT NULL;

UPDATE unlinked_identities SET auth0_id = pseudonym((SELECT key FROM pseudonym_keys), auth0_id);
