-- What was deployed to which tenant, by whom, and how it ended.

CREATE TABLE deployments (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    tenant      TEXT    NOT NULL CHECK (tenant <> ''),
    -- The branch or tag, and the commit, when it came from a repository.
    git_ref     TEXT,
    git_commit  TEXT,
    actor_kind  TEXT    NOT NULL,
    actor_id    TEXT,
    -- How many changes were planned.
    changes     INTEGER NOT NULL CHECK (changes >= 0),
    begun_at    INTEGER NOT NULL,
    -- Whoever deploys gives a sign again and again. One who was killed gives none any more, so that a deployment
    -- without an outcome is over after this moment.
    alive_until INTEGER NOT NULL,
    ended_at    INTEGER,
    outcome     TEXT    CHECK (outcome IN ('applied', 'failed', 'rolled_back')),
    -- Why it failed.
    message     TEXT,
    CHECK ((outcome IS NULL) = (ended_at IS NULL)),
    CHECK ((outcome IS 'failed') = (message IS NOT NULL))
) STRICT;

CREATE INDEX deployments_by_tenant ON deployments (tenant, id);
CREATE INDEX deployments_by_outcome ON deployments (outcome, id);
