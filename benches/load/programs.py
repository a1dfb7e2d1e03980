"""The servers under load: Vestibule and its peers, each pinned to the server's core."""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from machine import CLIENT_CORE, NICE, SERVER_CORE, Failed, pinned, resident_mib, run

AUDIENCES = {"public": "https://public.example/", "internal": "https://internal.example/"}
NAMESPACE = "https://vestibule.example/"


class Server:
    """A running process, and the addresses that it printed first."""

    def __init__(self, command: list[str], addresses: int, log: Path, environment: dict[str, str] | None = None) -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **(environment or {})}
            )
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline() for _ in range(addresses)]
        self.addresses = [line.split()[-1].removesuffix("/graphql") for line in lines if line.strip()]
        if len(self.addresses) < addresses:
            self.stop()
            raise Failed(f"`{' '.join(command)}` did not start; its log is {log}")

    @property
    def pid(self) -> int:
        return self.process.pid

    def resident_mib(self) -> float:
        return resident_mib(self.pid)

    def stop(self) -> None:
        """Ends the process, which may finish its requests."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Issuer(Server):
    """The tenant that all programs trust."""

    def __init__(self, folder: Path) -> None:
        script = Path(__file__).parent / "issuer.mjs"
        command = ["nice", "-n", str(NICE), "node", str(script)]
        super().__init__(pinned(command, CLIENT_CORE), 2, folder / "issuer.log")
        self.url, self.modulus = self.addresses

    def sign(self, claims: list[dict[str, object]]) -> list[str]:
        """Tokens with these claims."""
        request = urllib.request.Request(f"{self.url}sign", json.dumps(claims).encode())
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def tokens(self, file: Path, subjects: Iterable[str], door: str = "public", **more: object) -> Path:
        """Writes a token for each subject into a file. A callable among `more` gets the subject."""
        now = int(time.time())
        common = {"iss": self.url, "iat": now - 5, "exp": now + 86_400, "azp": "bench", "scope": "openid profile email"}
        common["aud"] = [AUDIENCES[door], f"{self.url}userinfo"]
        claims = [
            {**common, "sub": subject, "jti": f"{file.stem}-{number}"}
            | {name: value(subject) if callable(value) else value for name, value in more.items()}
            for number, subject in enumerate(subjects)
        ]
        file.write_text("\n".join(self.sign(claims)) + "\n")
        return file


@dataclass
class Vestibule:
    """The executable under test. Its settings are the defaults, but for addresses, files and the issuer."""

    binary: Path
    folder: Path
    issuer: str
    extra: tuple[str, ...] = ()
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.folder / "vestibule.log"
        settings = f'[auth0]\nissuer = "{self.issuer}"\nclient_id = "bench"\nclient_secret = "bench"\n'
        for door, audience in AUDIENCES.items():
            settings += f'[{door}]\nlisten = "127.0.0.1:0"\naudience = "{audience}"\n'
        # The profile that may trust an issuer on this machine.
        (self.folder / "development.toml").write_text(settings)

    def command(self, database: Path, *arguments: str, extra: Iterable[str] = ()) -> list[str]:
        command = [str(self.binary), "--profile", "development", "--config", str(self.folder)]
        for setting in (f"store.path={database}", *self.extra, *extra):
            command += ["--set", setting]
        return [*command, *arguments]

    def serve(
        self, database: Path, core: int | str = SERVER_CORE, extra: Iterable[str] = (), under: Iterable[str] = ()
    ) -> Server:
        """Serves, until stopped, `under` another command if one is given. Its addresses are those of the public and the
        internal door."""
        self.log.write_bytes(b"")
        server = Server(pinned([*under, *self.command(database, "serve", extra=extra)], core), 2, self.log)
        pause = 0.5 if under else 0.001
        deadline = time.monotonic() + 120
        while not is_ready(server.addresses[0]):
            if time.monotonic() > deadline:
                server.stop()
                raise Failed(f"vestibule is not ready after two minutes; its log is {self.log}")
            time.sleep(pause)
        return server

    def cold_start_ms(self, database: Path) -> float:
        """The milliseconds from the start of the process until `/readyz` answers 200."""
        # Emptying the log of the round before takes longer than a start.
        self.log.write_bytes(b"")
        begun = time.perf_counter()
        with self.serve(database):
            return (time.perf_counter() - begun) * 1000

    def database(self, users: int) -> Path:
        """A database with so many users, `auth0|00000000` and so on; made once."""
        path = self.folder / f"users-{users}.db"
        if path.exists():
            return path
        export, new = self.folder / "users.json", self.folder / "new" / path.name
        with export.open("w") as file:
            for number in range(users):
                record = {"user_id": subject(number), "email": f"user{number}@example.com", "email_verified": True}
                file.write(json.dumps({**record, "name": f"Ada Lovelace {number}"}) + "\n")
        shutil.rmtree(new.parent, ignore_errors=True)
        new.parent.mkdir()
        run(self.command(new, "users", "import", str(export)))
        export.unlink()
        # With its lock file and whatever else belongs to it; the database itself last.
        for file in sorted(new.parent.iterdir(), key=lambda file: file == new):
            file.rename(self.folder / file.name)
        return path

    def first_users(self, database: Path, count: int) -> dict[str, dict[str, object]]:
        """The oldest users of a database, by their Auth0 ids."""
        lines = run(self.command(database, "users", "list", "--json", "--first", str(count))).splitlines()
        users = [json.loads(line) for line in lines]
        return {user["auth0Id"]: {key: user[key] for key in ("id", "auth0Id", "email", "name")} for user in users}


def subject(number: int) -> str:
    return f"auth0|{number:08}"


def is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError):
        return False
