"""Kinds of tampering with the files of a seal: each changes the folder, and draws where."""

import os
import random
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from tampering_world import Kind, World

Edit = Callable[[bytes, random.Random], bytes]


def contents(edit: Edit) -> Kind:
    """What is done to the bytes of any file; drawn again where it changes nothing."""

    def tamper(world: World) -> None:
        while True:
            file = world.file()
            before = file.read_bytes()
            after = edit(before, world.rng)
            if after != before:
                file.write_bytes(after)
                return

    return tamper


def flipped(data: bytes, rng: random.Random) -> bytes:
    changed, place = bytearray(data), rng.randrange(8 * len(data))
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def _cut(data: bytes, rng: random.Random) -> tuple[bytes, bytes]:
    place = rng.randrange(1, len(data))
    return data[:place], data[place:]


def _swapped_bytes(data: bytes, rng: random.Random) -> bytes:
    changed, (i, j) = bytearray(data), rng.sample(range(len(data)), 2)
    changed[i], changed[j] = changed[j], changed[i]
    return bytes(changed)


CONTENT: dict[str, Edit] = {
    "flip a bit": flipped,
    "another byte": lambda data, rng: bytes([data[0] ^ rng.randrange(1, 256)]) + data[1:],
    "zeros at the end": lambda data, rng: _cut(data, rng)[0] + bytes(len(_cut(data, rng)[1])),
    "cut the last byte": lambda data, rng: data[:-1],
    "cut anywhere": lambda data, rng: _cut(data, rng)[0],
    "cut the beginning": lambda data, rng: _cut(data, rng)[1],
    "empty": lambda data, rng: b"",
    "append a byte": lambda data, rng: data + rng.randbytes(1),
    "append a line end": lambda data, rng: data + b"\n",
    "append a page of zeros": lambda data, rng: data + bytes(4096),
    "insert a byte": lambda data, rng: rng.randbytes(1).join(_cut(data, rng)),
    "remove a byte": lambda data, rng: (lambda a, b: a + b[1:])(*_cut(data, rng)),
    "exchange two bytes": _swapped_bytes,
    "exchange two parts": lambda data, rng: (lambda a, b: b + a)(*_cut(data, rng)),
    "backwards": lambda data, rng: data[::-1],
    "twice": lambda data, rng: data * 2,
    "other line ends": lambda data, rng: data.replace(b"\n", b"\r\n"),
    "a mark of byte order": lambda data, rng: b"\xef\xbb\xbf" + data,
    "random bytes of the same size": lambda data, rng: rng.randbytes(len(data)),
}


def exchange(world: World) -> None:
    while True:
        first, second = world.rng.sample(world.files(), 2)
        contents_ = first.read_bytes(), second.read_bytes()
        if contents_[0] != contents_[1]:
            break
    first.write_bytes(contents_[1])
    second.write_bytes(contents_[0])


def replaced_by_other(world: World) -> None:
    while True:
        first, second = world.rng.sample(world.files(), 2)
        if first.read_bytes() != second.read_bytes():
            break
    shutil.copyfile(first, second)


def linked(world: World) -> None:
    file = world.file(least=0)
    outside = world.folder.parent / "outside"
    file.rename(outside)
    file.symlink_to(outside)


def linked_folder(world: World) -> None:
    folder = world.rng.choice([path for path in world.folder.iterdir() if path.is_dir()])
    folder.rename(world.folder.parent / "outside")
    folder.symlink_to(world.folder.parent / "outside")


def pipe_in_place(world: World) -> None:
    file = world.file(least=0)
    file.unlink()
    os.mkfifo(file)


def folder_in_place(world: World) -> None:
    file = world.file(least=0)
    file.unlink()
    file.mkdir()


def with_socket(world: World) -> None:
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(world.folder / "s"))


def sparse(world: World) -> None:
    with open(world.place("big"), "wb") as file:
        file.truncate(2**36)


def undecodable(world: World) -> None:
    Path(os.fsdecode(os.fsencode(world.folder) + b"/\xff\xfe")).write_bytes(b"")


def one_deeper(world: World) -> None:
    inner = world.folder.parent / "inner"
    world.folder.rename(inner)
    world.folder.mkdir()
    inner.rename(world.folder / "inner")


FILES: dict[str, Kind] = {
    **{name: contents(edit) for name, edit in CONTENT.items()},
    "remove a file": lambda world: world.file(least=0).unlink(),
    "remove two files": lambda world: [path.unlink() for path in world.rng.sample(world.files(), 2)],
    "rename a file": lambda world: (lambda path: path.rename(path.with_name("renamed")))(world.file(least=0)),
    "upper case": lambda world: (lambda path: path.rename(path.with_name(path.name.upper())))(world.file(least=0)),
    "move to another folder": lambda world: world.file(least=0).rename(world.place("moved")),
    "exchange two files": exchange,
    "replace by another file": replaced_by_other,
    "copy a file": lambda world: shutil.copy(world.file(least=0), world.place("copy")),
    "add an empty file": lambda world: world.place("new").write_bytes(b""),
    "add a hidden file": lambda world: world.place(".new").write_bytes(b"new"),
    "add to .git": lambda world: ((world.folder / ".git").mkdir(), (world.folder / ".git/config").write_bytes(b"new")),
    "add a pickle": lambda world: world.place("model.pkl").write_bytes(b"\x80\x04."),
    "add to attestations": lambda world: (world.folder / "attestations/new").write_bytes(b"new"),
    "add a huge sparse file": sparse,
    "add a name of two lines": lambda world: world.place("two\nlines").write_bytes(b""),
    "add a name that is no text": undecodable,
    "add an empty folder": lambda world: world.place("nothing").mkdir(),
    "add a hidden empty folder": lambda world: world.place(".nothing").mkdir(),
    "rename a folder": lambda world: (world.folder / "notes").rename(world.folder / "other"),
    "remove a folder": lambda world: shutil.rmtree(world.folder / "notes"),
    "a folder in place of a file": folder_in_place,
    "everything one folder deeper": one_deeper,
    "a link in place of a file": linked,
    "a link in place of a folder": linked_folder,
    "add a link": lambda world: world.place("link").symlink_to("/etc/hostname"),
    "add a link to nothing": lambda world: world.place("link").symlink_to("nothing"),
    "add a link to itself": lambda world: world.place("link").symlink_to("link"),
    "add a hard link": lambda world: os.link(world.file(least=0), world.place("hard")),
    "add a pipe": lambda world: os.mkfifo(world.place("pipe")),
    "a pipe in place of a file": pipe_in_place,
    "add a socket": with_socket,
    "executable": lambda world: world.file(least=0).chmod(0o755),
    "writable by all": lambda world: world.file(least=0).chmod(0o666),
    "set-user-id": lambda world: world.file(least=0).chmod(0o4644),
    "no permissions": lambda world: world.file(least=0).chmod(0),
    "a folder writable by all": lambda world: (world.folder / "notes").chmod(0o777),
}
