"""Read pickles of data safely: only plain objects and known parts, only so many, and no code runs.

The compiled unpickler is not used: it allocates as many objects as a number in the file says, and its opcodes cannot be
restricted. No torch.
"""

import pickle
from collections.abc import Callable, Mapping
from pickle import UnpicklingError
from typing import IO, Any, ClassVar

MOST_OBJECTS = 2**20  # opcodes: a batch of ImageNet-32 has 130,000 labels, and each label takes at most two

PLAIN = (  # opcodes for numbers, strings, tuples, lists and dicts, for objects used twice, and for known parts
    "PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT "
    "BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES "
    "BINBYTES8 EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST APPEND APPENDS EMPTY_DICT DICT SETITEM SETITEMS "
    "PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET GLOBAL STACK_GLOBAL REDUCE BUILD BINPERSID"
)
CODES = {getattr(pickle, name)[0]: name for name in PLAIN.split()}
KEYS = (str, bytes, int)  # keys of dicts; hashing a deep tuple of one repeated tuple would take forever
Parts = Mapping[tuple[str, str], Any]
Handler = Callable[["Data"], None]


class Data(pickle._Unpickler):
    """Read one pickle of `size` bytes. `parts` maps each (module, name) that it may use to a replacement here.

    Raises UnpicklingError for anything else, and the errors of `pickle` for damaged files.
    """

    dispatch: ClassVar[dict[int, Handler]]  # type: ignore[assignment]

    def __init__(self, file: IO[bytes], size: int, parts: Parts):
        super().__init__(Bounded(file, size), encoding="latin1")
        self.objects, self.parts = 0, parts

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.parts:
            raise UnpicklingError(f"it would run {module}.{name}, which does not belong there")
        return self.parts[module, name]


class Bounded:
    """A file of which at most `size` bytes are read, since the file itself states the length of its strings."""

    def __init__(self, file: IO[bytes], size: int):
        self.file, self.left = file, size

    def read(self, size: int) -> bytes:
        if size > self.left:
            raise EOFError(f"{size} bytes where {self.left} are left")
        self.left -= size
        return self.file.read(size)

    def readline(self) -> bytes:
        line = self.file.readline(self.left)
        self.left -= len(line)
        return line


def handler_of(code: int) -> Handler:
    """Return the function that reads one opcode, after checking that the opcode is allowed."""
    name = CODES.get(code)
    theirs: Handler | None = pickle._Unpickler.dispatch.get(code)  # type: ignore[assignment]

    def read(unpickler: Data) -> None:
        unpickler.objects += 1
        if theirs is None or name is None:
            raise UnpicklingError(f"opcode {code} does not belong there")
        if unpickler.objects > MOST_OBJECTS:
            raise UnpicklingError(f"it has more than {MOST_OBJECTS} objects")
        stack: list[Any] = unpickler.stack  # type: ignore[attr-defined]
        keys = stack[-2:-1] if name == "SETITEM" else stack[::2] if name in ("SETITEMS", "DICT") else ()
        if not all(isinstance(key, KEYS) for key in keys):
            raise UnpicklingError("a key of a dict is neither text nor a number")
        theirs(unpickler)

    return read


Data.dispatch = {code: handler_of(code) for code in range(256)}
