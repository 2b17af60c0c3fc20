"""A command at a terminal: Ctrl-C at its prompt, or an answer.

    terminal.py PROGRAM ARGUMENT...  < KEYS

Starts the program at a terminal of its own, waits for a prompt (a text that ends in ": " or "[y/N] ") before each
line of KEYS, types it, and prints as JSON the exit code, what was seen, and whether the terminal shows
at the end what is typed. The line ^C is Ctrl-C; what comes after a + is typed where it is shown.
"""

import fcntl
import json
import os
import pty
import signal
import sys
import termios

signal.alarm(120)  # whatever hangs
keys = sys.stdin.read().splitlines()
terminal, own = pty.openpty()


def shows():
    return bool(termios.tcgetattr(own)[3] & termios.ECHO)


before = shows()
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(own, termios.TIOCSCTTY, 0)
    for stream in range(3):
        os.dup2(own, stream)
    os.execv(sys.argv[1], sys.argv[1:])


seen, hidden = b"", []
for key in keys:
    start = len(seen)
    while not seen[start:].endswith((b": ", b"[y/N] ")):
        seen += os.read(terminal, 1024)
    while shows() and not key.startswith("+"):  # the prompt is written before the terminal hides it
        pass
    hidden.append(not shows())
    key = key.removeprefix("+")
    os.write(terminal, b"\x03" if key == "^C" else key.encode() + b"\n")
_, status = os.waitpid(child, 0)
os.set_blocking(terminal, False)
try:
    while rest := os.read(terminal, 1024):
        seen += rest
except OSError:  # nothing more
    pass
print(json.dumps({
    "code": os.waitstatus_to_exitcode(status),
    "seen": seen.decode(errors="replace"),
    "before": before,
    "hidden": hidden,
    "after": shows(),
}))
