"""What all measurements use: the built programs, the issuer, databases and tokens."""

import os
import shutil
import sqlite3
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from machine import SERVER_CORE, pinned, run
from programs import AUDIENCES, NAMESPACE, Issuer, Server, Vestibule, subject
from wrk import Work

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "benches" / "peers"
PEER_BINARIES = ROOT / "target" / "peers" / "release"

CARGO = os.environ.get("CARGO", "cargo")

USERS_QUERY = "{ users(first: 50) { nodes { id email name } } }"
HEALTHZ = Work("/healthz")


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    rounds: int
    # Seconds that one kind of request is sent.
    seconds: float
    users: int
    growth: tuple[int, ...]
    live_tokens: int
    sockets: int
    logins: int
    new_tokens: int


FULL = Sizes(5, 2, 100_000, (1_000, 1_000_000), 10_000, 10_000, 1_000, 3_000)
QUICK = Sizes(1, 1, 2_000, (1_000, 5_000), 500, 200, 100, 300)


def build() -> Path:
    """Builds the executable as it is shipped."""
    subprocess.run([CARGO, "build", "--locked", "--release", "--bin", "vestibule"], cwd=ROOT, check=True)
    return ROOT / "target" / "release" / "vestibule"


def build_peers() -> None:
    """Installs what the peers need, and builds them."""
    command = [CARGO, "build", "--locked", "--release", "--target-dir", str(PEER_BINARIES.parent)]
    subprocess.run(command, cwd=PEERS / "rust", check=True)
    if not (PEERS / "express" / "node_modules" / ".package-lock.json").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=PEERS / "express", check=True)


class Setup:
    """The running issuer, and the files in a folder of their own."""

    def __init__(self, binary: Path, folder: Path, sizes: Sizes) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.sizes, self.folder = sizes, folder
        self.issuer = Issuer(folder)
        self.vestibule = Vestibule(binary, folder, self.issuer.url)
        self.database = self.vestibule.database(sizes.users)
        self.first_users = self.vestibule.first_users(self.database, 1_000)
        some, one = self.spread(sizes.users), list(self.first_users)[:1]
        payload = {f"{NAMESPACE}user": self.first_users.get}
        machine = {"gty": "client-credentials", "scope": "users:read"}
        self.payload = self.work("payload", one, **payload)
        self.payload_many = self.work("payload-many", self.first_users, **payload)
        self.row = self.work("row", some[:1])
        self.row_many = self.work("row-many", some)
        tokens = self.issuer.tokens(folder / "machine.tokens", ["bench@clients"], "internal", **machine)
        self.users = Work(tokens=tokens, query=USERS_QUERY)

    def work(self, name: str, subjects: object, **claims: object) -> Work:
        """`me` with tokens of these subjects."""
        return Work(tokens=self.issuer.tokens(self.folder / f"{name}.tokens", subjects, **claims))

    @staticmethod
    def spread(users: int, count: int = 1_000) -> list[str]:
        """So many subjects from everywhere in a database of so many users."""
        return [subject(number * users // count) for number in range(min(count, users))]

    def new_tokens(self, name: str) -> Work:
        """`me` with tokens that no server has seen."""
        count = self.sizes.new_tokens
        return self.work(name, (self.spread(self.sizes.users) * (count // 1_000 + 1))[:count])

    def verify_us(self, tokens: Path) -> float:
        """The microseconds that a bare signature check takes."""
        command = pinned([str(PEER_BINARIES / "verify"), self.issuer.modulus], SERVER_CORE)
        return int(run(command, input=tokens.read_text())) / 1000

    def peer(self, name: str) -> Server:
        """Starts a peer: `axum`, `juniper_warp` or `express`; the Rust ones read SQLite inline if `_inline` is appended."""
        express = ["node", str(PEERS / "express" / "server.mjs")]
        command = express if name == "express" else [str(PEER_BINARIES / name.removesuffix("_inline"))]
        environment = {
            "ISSUER": self.issuer.url,
            "AUDIENCE": AUDIENCES["public"],
            "DATABASE": str(self.folder / "peers.db"),
            "NODE_ENV": "production",
            **({"INLINE": "1"} if name.endswith("_inline") else {}),
        }
        return Server(pinned(command, SERVER_CORE), 1, self.folder / f"{name}.log", environment)

    def make_peer_database(self) -> None:
        """The users again, for the peers."""
        with sqlite3.connect(self.folder / "peers.db") as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE users (auth0_id TEXT PRIMARY KEY, id TEXT NOT NULL, email TEXT, name TEXT)")
            rows = (
                (subject(number), str(uuid.uuid4()), f"user{number}@example.com", f"Ada Lovelace {number}")
                for number in range(self.sizes.users)
            )
            database.executemany("INSERT INTO users VALUES (?, ?, ?, ?)", rows)
        database.close()

    def __enter__(self) -> "Setup":
        return self

    def __exit__(self, *_: object) -> None:
        self.issuer.stop()
