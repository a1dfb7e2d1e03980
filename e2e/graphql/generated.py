"""Sends valid operations, generated from a door's schema by hypothesis-graphql, and prints a JSON summary of each response,
one a line.

Reads {"url", "seed", "queries", "mutations", "tenant", "audience", "person"} from standard input. When the caller is refused
(a generated mutation may sign its own user out), "person" logs in again; without "person", a new user signs up.
"""

import json
import sys

import requests
from graphql import GraphQLScalarType, build_client_schema, get_introspection_query, print_schema, specified_scalar_types
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis_graphql import mutations, nodes, queries

config = json.load(sys.stdin)
door = requests.Session()
tenant = requests.Session()
signed_up = 0


def log_in():
    """Logs in and sets the token in the door's session."""
    global signed_up
    who = {"client_id": "spa", "connection": "Username-Password-Authentication"}
    if config.get("person"):
        email, password = f"{config['person']}@example.com", f"dev-only-{config['person']}"
    else:
        signed_up += 1
        email, password = f"someone-{signed_up}@example.com", "dev-only-someone"
        sign_up = who | {"email": email, "password": password}
        tenant.post(f"{config['tenant']}dbconnections/signup", json=sign_up, timeout=30).raise_for_status()
    login = {
        "grant_type": "http://auth0.com/oauth/grant-type/password-realm",
        "realm": who["connection"],
        "client_id": "spa",
        "audience": config["audience"],
        "username": email,
        "password": password,
        "scope": "openid profile email",
    }
    response = tenant.post(f"{config['tenant']}oauth/token", json=login, timeout=30)
    response.raise_for_status()
    door.headers["Authorization"] = f"Bearer {response.json()['access_token']}"


def ask(document):
    return door.post(config["url"], json={"query": document}, timeout=30)


log_in()
schema = build_client_schema(ask(get_introspection_query()).json()["data"])


def scalar(name):
    """Values of a custom scalar: typical ones, and any text."""
    typical = {
        "DateTime": ["2026-11-24T12:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"],
        "Email": ["ada@example.com", "ADA@EXAMPLE.COM", "a@b@c", "@"],
    }.get(name, ["", "0", "null", "{}"])
    return st.one_of(st.sampled_from(typical), st.text(max_size=40)).map(nodes.String)


custom = {
    name: scalar(name)
    for name, kind in schema.type_map.items()
    if isinstance(kind, GraphQLScalarType) and name not in specified_scalar_types
}


def send(strategy, wanted):
    """Sends `wanted` operations, in several rounds if hypothesis runs out of new ones."""
    sent = 0
    for round in range(20):
        if sent >= wanted:
            return

        @seed(config["seed"] + round)
        @settings(
            max_examples=wanted - sent,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def one(document):
            nonlocal sent
            response = ask(document)
            if response.status_code in (401, 403):
                log_in()
                response = ask(document)
            try:
                body = response.json()
            except ValueError:
                body = None
            is_well_formed = isinstance(body, dict) and ("data" in body or "errors" in body)
            codes = [error.get("extensions", {}).get("code") for error in (body or {}).get("errors", [])]
            line = {
                "status": response.status_code,
                "wellFormed": is_well_formed,
                "data": is_well_formed and body.get("data") is not None,
                "codes": codes,
            }
            if response.status_code >= 500 or not is_well_formed or "INTERNAL" in codes:
                line |= {"document": document, "body": response.text[:2000]}
            print(json.dumps(line))
            sent += 1

        one()


sdl = print_schema(schema)
if schema.mutation_type is None:
    send(queries(sdl, custom_scalars=custom), config["queries"] + config["mutations"])
else:
    # Each of these needs another login, so a few are enough.
    rare = [name for name in schema.mutation_type.fields if name == "signOutEverywhere"]
    common = [name for name in schema.mutation_type.fields if name not in rare]
    few = 10 if rare else 0
    send(queries(sdl, custom_scalars=custom), config["queries"])
    send(mutations(sdl, custom_scalars=custom, fields=common), config["mutations"] - few)
    if rare:
        send(mutations(sdl, custom_scalars=custom, fields=rare), few)
