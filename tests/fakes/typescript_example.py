"""The application of examples/typescript, compiled and run by node: its repositories, with the methods of the Python example's."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from examples.entities import AlreadyExists, Changes, Entity, Item, NotFound, Ref
from examples.patience import Contended
from service.errors import Misconfigured
from service.rehearsal.servers.fetch import CACHE, kept, run_client
from tests.fakes.servers import or_skip, required

SOURCES = Path(__file__).parents[2] / "examples" / "typescript"
DRIVER = Path(__file__).with_name("typescript_driver.ts")
OLDEST_NODE = 20
STOP_SECONDS = 10

ENVIRONMENT = {**os.environ, "NODE_NO_WARNINGS": "1"}  # the SDK says how long it will still take this version of node

ERRORS: dict[str, type[Exception]] = {"NotFound": NotFound, "AlreadyExists": AlreadyExists, "Contended": Contended}

Place = Literal["before", "old", "v2"]


class TypeScriptError(Exception):
    """An error that the application does not expect."""


def installed() -> Path:
    """A folder with the packages of the example's lock file, type checker included. Fetched once; skips where it cannot be."""
    required("npm", "npm")
    digest = hashlib.sha256((SOURCES / "package-lock.json").read_bytes()).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with or_skip(), (CACHE / "typescript.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several workers one fetches
        return kept(CACHE / f"typescript-{digest}", _fetch)


def _fetch(scratch: Path) -> Path:
    folder = scratch / "packages"
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCES / name, folder)
    run_client("examples/typescript", ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    return folder


def compiled(folder: Path) -> Path:
    """The driver as JavaScript, built in ``folder`` together with the example. Raises AssertionError with the compiler's errors."""
    packages = installed()
    for source in (*SOURCES.glob("*.ts"), DRIVER, SOURCES / "tsconfig.json", SOURCES / "package.json"):
        shutil.copy(source, folder)
    (folder / "node_modules").symlink_to(packages / "node_modules")
    run = subprocess.run(
        ["node_modules/.bin/tsc"], cwd=folder, check=False, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "build" / DRIVER.with_suffix(".js").name


class TypeScriptProgram:
    """A node process that runs the example. Threads may share it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._turn = threading.Lock()
        self._asked = 0

    def call(self, place: dict[str, Any], call: str, given: Item) -> Any:
        """What the call returns. Raises the example's error of that name, or TypeScriptError."""
        with self._turn:
            self._asked += 1
            request = {"id": self._asked, "place": place, "call": call, "given": _wire(given)}
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(f"{json.dumps(request)}\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or '{"id": 0, "error": "node has ended"}')
        if "error" in answer:
            error = ERRORS.get(answer["error"])
            raise error(answer["message"]) if error else TypeScriptError(answer)
        assert answer["id"] == request["id"]
        return _plain(answer["value"]).get("value")


class TypeScriptRepository:
    """Implements ``examples.entities.Repository``."""

    def __init__(self, program: TypeScriptProgram, entity: Entity, side: Place, **place: Any) -> None:
        self.side = side
        self._program = program
        self._place = {"entity": entity.name, "now": None, "deadline": 5.0, "races": 0, **place}

    def create(self, item: Item) -> Ref:
        return _ref(self._call("create", item=item))

    def get(self, ref: Ref) -> Item | None:
        return self._call("get", ref=ref)

    def find(self, id: str) -> Ref | None:  # noqa: A002 (it is the field's name)
        found = self._call("find", id=id)
        return None if found is None else _ref(found)

    def update(self, ref: Ref, changes: Changes) -> Item:
        return self._call("update", ref=ref, changes=dict(changes))

    def update_if(self, ref: Ref, expected: Changes, changes: Changes) -> bool:
        return self._call("update_if", ref=ref, expected=dict(expected), changes=dict(changes))

    def add(self, ref: Ref, field: str, amount: int) -> Item:
        return self._call("add", ref=ref, field=field, amount=amount)

    def move_stage(self, ref: Ref, stage: str) -> Item:
        return self._call("move_stage", ref=ref, stage=stage)

    def change_created_at(self, ref: Ref, created_at: str) -> Ref:
        return _ref(self._call("change_created_at", ref=ref, created_at=created_at))

    def delete(self, ref: Ref) -> None:
        self._call("delete", ref=ref)

    def list_by_stage(self, stage: str) -> list[Item]:
        return self._call("list_by_stage", stage=stage)

    def month(self, text: str) -> str | None:
        """The month by which v2's keys begin, of a time of creation."""
        return self._call("month", text=text)

    def _call(self, call: str, **given: Any) -> Any:
        if "ref" in given:
            given["ref"] = {"id": given["ref"].id, "createdAt": given["ref"].created_at}
        return self._program.call({**self._place, "side": self.side}, call, given)


@contextmanager
def typescript_program(url: str) -> Iterator[TypeScriptProgram]:
    """The example on the server at ``url``, as long as the block; skips without node."""
    node = required("node", "nodejs")
    with or_skip():
        version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout.strip()
        if int(version.lstrip("v").partition(".")[0]) < OLDEST_NODE:
            raise Misconfigured(f"node is {version}", remedy=f"install node {OLDEST_NODE} or later")
    with tempfile.TemporaryDirectory() as folder:
        command = [node, str(compiled(Path(folder))), url]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
        try:
            yield TypeScriptProgram(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(STOP_SECONDS)


def _ref(made: Item) -> Ref:
    return Ref(made["id"], made["createdAt"])


def _wire(item: Item) -> Item:
    write = TypeSerializer().serialize
    return {name: write(value) for name, value in item.items()}


def _plain(item: Item) -> Item:
    read = TypeDeserializer().deserialize
    return {name: read(value) for name, value in item.items()}
