"""What PyJWT makes of each token in a file of mutants: a JSON list of errors, null where it accepts one."""

import json
import sys

import jwt

with open(sys.argv[1], encoding="utf-8") as file:
    policy, *mutants = map(json.loads, file)

KEYS = {issuer: jwt.PyJWKSet.from_dict(keys) for issuer, keys in policy["keys"].items()}


def judge(token: str) -> str | None:
    """Verifies with the policy the gate has; the unverified issuer chooses the keys."""
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        key = KEYS[issuer][jwt.get_unverified_header(token)["kid"]]
        jwt.decode(
            token,
            key,
            algorithms=policy["algorithms"],
            audience=policy["audience"],
            issuer=list(KEYS),
            leeway=policy["leeway"],
            options={"require": ["iss", "sub", "aud", "exp"]},
        )
        return None
    except Exception as error:  # Whatever it raises, it did not accept the token.
        return f"{type(error).__name__}: {error}"


json.dump([judge(mutant["token"]) for mutant in mutants], sys.stdout)
