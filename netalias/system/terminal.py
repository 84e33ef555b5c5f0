"""A terminal as a screen that is drawn again and again, and keys without Enter (termios(3)).

The escapes are those of xterm(1), in "XTerm Control Sequences", which all common terminals know.
"""

from __future__ import annotations

import os
import termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    Mode = list[int | list[bytes | int]]

ENTER = "\x1b[?1049h\x1b[?25l"
"""To the alternate screen; hide the cursor."""
LEAVE = "\x1b[?25h\x1b[?1049l"
HOME = "\x1b[H"
END_OF_LINE = "\x1b[K"
END_OF_SCREEN = "\x1b[J"
LOCAL_FLAGS = 3
"""The index of c_lflag in what tcgetattr() gives."""
KEYS = 64
"""Bytes of one read."""
SIZE = (80, 24)


class Screen:
    """The terminal behind the descriptor *out*, and the keys of *keyboard*, -1 for none; a context
    manager. As it was found it is left, whatever ends the block."""

    def __init__(self, out: int, keyboard: int = -1) -> None:
        self._out = out
        self.keyboard = keyboard
        self._before: Mode | None = None

    def __enter__(self) -> Screen:
        self.enter()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.leave()
        except (OSError, termios.error):
            pass  # the terminal has gone

    def enter(self) -> None:
        """Take the screen. Raises OSError."""
        if self.keyboard >= 0:
            self._before = termios.tcgetattr(self.keyboard)
            mode = termios.tcgetattr(self.keyboard)
            mode[LOCAL_FLAGS] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(self.keyboard, termios.TCSADRAIN, mode)
        self._write(ENTER)

    def leave(self) -> None:
        """Give the screen back. Raises OSError, termios.error."""
        try:
            self._write(LEAVE)
        finally:
            if self._before is not None:
                termios.tcsetattr(self.keyboard, termios.TCSADRAIN, self._before)
                self._before = None

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        try:
            columns, lines = os.get_terminal_size(self._out)
        except OSError:
            return SIZE
        return columns or SIZE[0], lines or SIZE[1]

    def keys(self) -> str:
        """The keys that were pressed; empty at the end of the input. Raises OSError."""
        return os.read(self.keyboard, KEYS).decode("ascii", "replace")

    def draw(self, lines: list[str]) -> None:
        """Show these lines in place of what is there. Raises OSError."""
        text = f"{END_OF_LINE}\n".join(lines)
        self._write(f"{HOME}{text}{END_OF_LINE}{END_OF_SCREEN}")

    def _write(self, text: str) -> None:
        content = text.encode("utf-8", "replace")
        while content:
            content = content[os.write(self._out, content) :]
