"""Verifies each token in a file of mutants with PyJWT. Prints a JSON list of errors, null where PyJWT accepts the token."""

import json
import sys

import jwt

with open(sys.argv[1], encoding="utf-8") as file:
    policy, *mutants = map(json.loads, file)

KEYS = {issuer: jwt.PyJWKSet.from_dict(keys) for issuer, keys in policy["keys"].items()}


def error(token: str) -> str | None:
    """Verifies with the gate's policy; the unverified issuer selects the keys."""
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
    except Exception as refusal:  # Any exception means that the token is refused.
        return f"{type(refusal).__name__}: {refusal}"


json.dump([error(mutant["token"]) for mutant in mutants], sys.stdout)
