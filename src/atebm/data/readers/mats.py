"""Checking MATLAB files of version 5 before scipy reads them, since scipy trusts the lengths and shapes in a file.

A few bytes can state any shape, and a cell array or struct of that shape could fill any memory.
"""

import io
import math
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from ...archives.members import CHUNK

HEADER = 128  # bytes
VERSION = b"\0\1IM"  # the end of the header: version 5, little-endian
MATRIX, COMPRESSED = 14, 15  # types of elements
CELL, STRUCT, CHAR = 1, 2, 4  # classes of matrices
NUMBERS = range(6, 16)  # classes from double to uint64
COMPLEX = 8  # a flag of numeric matrices
DEEPEST = 4  # levels of nested matrices: enough for an array of structs whose fields are cells
TAG = 8  # bytes


class Element(NamedTuple):
    """An element of type `kind` in bytes [start, end) of a file."""

    kind: int
    start: int
    end: int


def checked(content: bytes, most: int) -> io.BytesIO:
    """Return a MATLAB file for scipy.io, with its compressed variables unpacked.

    Raises ValueError if the file has another version, unpacks to more than `most` bytes, or states shapes that its
    contents do not have.
    """
    if content[HEADER - len(VERSION) : HEADER] != VERSION:
        raise ValueError("it is not a MATLAB file of version 5")
    plain = unpacked(content, most)
    for element in elements(plain, HEADER, len(plain)):
        check_matrix(plain, element)
    return io.BytesIO(plain)


def unpacked(content: bytes, most: int) -> bytes:
    """Return the file with its compressed elements unpacked. Raises ValueError if it is truncated or too large."""
    target = io.BytesIO()
    target.write(content[:HEADER])
    for element in elements(content, HEADER, len(content)):
        rest = memoryview(content)[element.start : element.end]
        if element.kind != COMPRESSED:
            target.write(struct.pack("<II", element.kind, len(rest)))
            target.write(rest)
            continue
        stream = zlib.decompressobj()
        part = stream.decompress(rest, CHUNK)
        while part and target.tell() <= most:
            target.write(part)
            part = stream.decompress(stream.unconsumed_tail, CHUNK)
        if target.tell() > most:
            raise ValueError(f"it unpacks to more than {most} bytes")
        if not stream.eof:
            raise ValueError("a compressed variable is truncated")
    return target.getvalue()


def elements(content: bytes, start: int, end: int) -> Iterator[Element]:
    """Yield the elements in bytes [start, end). Raises ValueError if one extends beyond."""
    place = start
    while place < end:
        if place + TAG > end:
            raise ValueError("an element is truncated")
        kind, size = struct.unpack_from("<II", content, place)
        if kind >> 16:  # a small element, with its data in place of the size
            element = Element(kind & 0xFFFF, place + TAG // 2, place + TAG // 2 + (kind >> 16))
            place += TAG
        else:
            element = Element(kind, place + TAG, place + TAG + size)
            place = element.end if kind == COMPRESSED else place + TAG + -(-size // TAG) * TAG
        if element.end > min(place, end) or (kind == MATRIX and place > element.end):
            raise ValueError("an element is truncated")
        yield element


def check_matrix(content: bytes, element: Element, deep: int = 0) -> None:
    """Raise ValueError unless this is a matrix of numbers, characters, cells or structs with the contents of its shape.

    scipy reads the parts of a matrix one after another without checking its size, so their number must be right.
    """
    if element.kind != MATRIX or deep > DEEPEST:
        raise ValueError("an element does not belong there")
    if element.start == element.end:  # an empty matrix
        return
    flags, shape, _, *parts = elements(content, element.start, element.end)
    kind, flag = content[flags.start : flags.start + 2]
    sides = struct.unpack_from(f"<{(shape.end - shape.start) // 4}i", content, shape.start)
    if min(sides, default=0) < 0:
        raise ValueError("a shape is negative")
    items = math.prod(sides)
    if kind in (CELL, STRUCT):
        fields = 1
        if kind == STRUCT:
            width, names, *parts = parts
            fields = (names.end - names.start) // struct.unpack_from("<i", content, width.start)[0]
        if len(parts) != items * fields:
            raise ValueError(f"a matrix has {len(parts)} parts instead of {items * fields}")
        for part in parts:
            check_matrix(content, part, deep + 1)
    elif kind == CHAR or kind in NUMBERS:
        data = parts[0]
        if len(parts) != (2 if flag & COMPLEX else 1) or items > data.end - data.start:
            raise ValueError(f"a matrix of {items} items has {data.end - data.start} bytes")
    else:
        raise ValueError("a variable has neither numbers nor characters")
