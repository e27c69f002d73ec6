"""The wall clock of single processes, shifted by a patch of their vDSO. The machine's clock stays as it is.

Linux maps the vDSO into every process. C, Go and Python programs call its functions to read the clock. A process may
have its own copy of these pages, as a debugger needs it for breakpoints. The patch makes the functions of the wall
clock jump to code that asks the kernel and adds an offset. The monotonic clock does not change, as when an operator
sets the machine's clock.
"""

import platform
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PROC = Path("/proc")
JUMP_SIZE = 5

_JUMP = b"\xe9"
_LOAD, _DYNAMIC, _STRING_TABLE, _SYMBOL_TABLE = 1, 2, 5, 6
"""ELF: two types of segments, and two tags of the dynamic section."""
_SYMBOL_SIZE = 24
_MARK = b"\x90OMSTIME"
"""Precedes the offset in a patched vDSO."""
_CLOCK_GETTIME = bytes.fromhex(
    "b8e4000000"  # mov eax, 228 (clock_gettime; its arguments are already in edi and rsi)
    "0f05"  # syscall
    "85c0 7518"  # test eax, eax; jnz end
    "85ff 740a"  # test edi, edi; jz add (CLOCK_REALTIME)
    "83ff05 7405"  # cmp edi, 5; je add (CLOCK_REALTIME_COARSE)
    "83ff0b 750a"  # cmp edi, 11; jne end (CLOCK_TAI)
    "488b0d 00000000"  # add: mov rcx, [rip + offset]
    "48010e"  # add [rsi], rcx
    "c3"  # end: ret
)
_GETTIMEOFDAY = bytes.fromhex(
    "b860000000"  # mov eax, 96 (gettimeofday)
    "0f05"  # syscall
    "4885ff 740a"  # test rdi, rdi; jz end
    "488b0d 00000000"  # mov rcx, [rip + offset]
    "48010f"  # add [rdi], rcx
    "c3"  # end: ret
)
_TIME = bytes.fromhex(
    "4889fa"  # mov rdx, rdi
    "31ff"  # xor edi, edi
    "b8c9000000"  # mov eax, 201 (time)
    "0f05"  # syscall
    "480305 00000000"  # add rax, [rip + offset]
    "4885d2 7403"  # test rdx, rdx; jz end
    "488902"  # mov [rdx], rax
    "c3"  # end: ret
)
CODE = {
    "__vdso_clock_gettime": (_CLOCK_GETTIME, 0x20),
    "__vdso_gettimeofday": (_GETTIMEOFDAY, 0x13),
    "__vdso_time": (_TIME, 0x13),
}
"""The new code of each function, and where in it the instruction ends that reads the offset."""


class ClockNotAdjustableError(Exception):
    """The wall clock of a process cannot be shifted here."""


@dataclass(frozen=True)
class Vdso:
    """The vDSO of a process: its address, and the addresses of its functions and of its unused end."""

    pid: int
    functions: dict[str, int]
    unused: int

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Return the vDSO of a process, or None when the process has ended. Raises ClockNotAdjustableError."""
        if platform.machine() != "x86_64":
            raise ClockNotAdjustableError(f"the code of the patch is for x86-64, not for {platform.machine()}")
        try:
            maps = (PROC / str(pid) / "maps").read_text()
            line = next((line for line in maps.splitlines() if line.endswith("[vdso]")), None)
            if line is None:
                return None
            start, end = (int(address, 16) for address in line.split()[0].split("-"))
            image = _read(pid, start, end - start)
        except (ProcessLookupError, FileNotFoundError):
            return None
        except OSError as error:
            raise ClockNotAdjustableError(f"the memory of process {pid} is not readable: {error}") from error
        functions, size = parse(image)
        unused = -(-size // 16) * 16
        if any(image[unused:]) and not image[unused:].startswith(_MARK):
            raise ClockNotAdjustableError("the vDSO has no unused end")
        return cls(pid, {name: start + address for name, address in functions.items()}, start + unused)

    def ahead(self) -> int | None:
        """Return by how many seconds the wall clock is ahead, None for a vDSO without the patch."""
        try:
            data = _read(self.pid, self.unused, len(_MARK) + 8)
        except OSError:
            return None
        return struct.unpack("<q", data[len(_MARK) :])[0] if data.startswith(_MARK) else None

    def set_ahead(self, seconds: int) -> None:
        """Set by how many seconds the wall clock is ahead. Raises ClockNotAdjustableError.

        No thread of the process may be inside the first bytes of a function meanwhile, see `busy`.
        """
        patched = self.ahead() is not None
        try:
            self._write(self.unused + len(_MARK), struct.pack("<q", seconds))
            if not patched:
                self._redirect()
        except (ProcessLookupError, FileNotFoundError):
            return
        except OSError as error:
            raise ClockNotAdjustableError(f"the memory of process {self.pid} is not writable: {error}") from error

    def busy(self, program_counter: int) -> bool:
        """Return whether a thread with this program counter would execute half of a redirection."""
        return any(0 < program_counter - entry < JUMP_SIZE for entry in self.functions.values())

    def _redirect(self) -> None:
        offset = self.unused + len(_MARK)
        address = offset + 8
        for name, (code, offset_at) in CODE.items():
            relative = struct.pack("<i", offset - (address + offset_at))
            self._write(address, code[: offset_at - 4] + relative + code[offset_at:])
            entry = self.functions[name]
            self._write(entry, _JUMP + struct.pack("<i", address - (entry + JUMP_SIZE)))
            address += len(code)
        self._write(self.unused, _MARK)

    def _write(self, address: int, data: bytes) -> None:
        with (PROC / str(self.pid) / "mem").open("r+b", buffering=0) as memory:
            memory.seek(address)
            memory.write(data)


def parse(image: bytes) -> tuple[dict[str, int], int]:
    """Return the offsets of the patched functions in the image of a vDSO, and the size of its used part.

    Raises ClockNotAdjustableError when it lacks one of them.
    """
    first, count = struct.unpack_from("<Q", image, 32)[0], struct.unpack_from("<H", image, 56)[0]
    segments = [struct.unpack_from("<IIQQQQQQ", image, first + 56 * number) for number in range(count)]
    loaded = next(in_file for kind, _, _, _, _, in_file, _, _ in segments if kind == _LOAD)
    sections, section_size, section_count = struct.unpack_from("<Q10xHH", image, 40)
    size = max(loaded, sections + section_size * section_count)
    start, length = next((offset, size) for kind, _, offset, _, _, size, _, _ in segments if kind == _DYNAMIC)
    tags = dict(struct.unpack_from("<QQ", image, at) for at in range(start, start + length, 16))
    # The names follow the symbols, whose number is not stored.
    symbols, names = tags[_SYMBOL_TABLE], tags[_STRING_TABLE]
    found: dict[str, int] = {}
    for at in range(symbols, names - _SYMBOL_SIZE + 1, _SYMBOL_SIZE):
        name_at, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", image, at)
        name = image[names + name_at : image.index(b"\0", names + name_at)].decode()
        if name in CODE:
            found[name] = value
    if missing := sorted(CODE.keys() - found):
        raise ClockNotAdjustableError(f"the vDSO has no {', '.join(missing)}")
    return found, size


def _read(pid: int, address: int, size: int) -> bytes:
    with (PROC / str(pid) / "mem").open("rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(size)
