"""The parent of everything that is started for a module. Run as a script: ``guardian.py LIFELINE HOME PROGRAM …``.

Whatever leaves its process group, its session and its parent (``setsid``, a double fork, a daemon) becomes a child of
this process and of nobody else, because it is a child subreaper (prctl(2)). So the tree below it is everything there
is, and when it has to end it is killed until nothing is left. That is when PROGRAM has ended, when the server orders it
(SIGHUP), and when the server is gone, however that happened: LIFELINE, a descriptor, is at its end then. SIGTERM is
passed on.

Its own end is PROGRAM's, status or signal. On LIFELINE it tells PROGRAM's process id first. When the server is gone it
removes the directory HOME, where one is given. It imports next to nothing, for it is started before each module.
"""

# ruff: noqa: SIM105 - contextlib takes as long to import as all the rest
import ctypes
import os
import resource
import select
import signal
import sys
import time

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
_LONGEST_SECONDS = 10.0  # for what cannot be killed: it runs as another user, or waits for a disk
_PAUSE_SECONDS = 0.002


def descendants(root: int) -> list[int]:
    """Return the processes below ``root``, those that have ended and were not waited for included."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib takes as long to import as all the rest
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue  # it has just ended
            children.setdefault(parent, []).append(int(name))
    found, waiting = [], [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def end_tree() -> None:
    """Kill everything below this process until nothing is left."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < deadline:
        for number in (signal.SIGSTOP, signal.SIGKILL):  # what is stopped starts nothing more
            for process in descendants(os.getpid()):
                _signal(process, number)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(_PAUSE_SECONDS)


def main() -> None:
    """Start the program and look after it."""
    lifeline, home, arguments = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    os.set_inheritable(lifeline, False)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")
    guardian = os.getpid()
    program = os.fork()
    if program == 0:
        _become(arguments, guardian, prctl)
    _let_go(lifeline)
    try:
        os.write(lifeline, b"%d\n" % program)
    except OSError:
        pass  # nobody wants to know
    status, server_is_gone = _wait(program, lifeline)
    if server_is_gone and home:
        import shutil  # noqa: PLC0415 - only here

        shutil.rmtree(home, ignore_errors=True)
    end_tree()
    _end_like(status)


def _become(arguments: list[str], guardian: int, prctl: "ctypes._NamedFuncPointer") -> None:
    """Turn this child into the program, in a session of its own; it dies with its guardian."""
    try:
        os.setsid()
        prctl(_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != guardian:
            os._exit(1)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):  # as Python had found them
            signal.signal(number, signal.SIG_DFL)
        os.execvp(arguments[0], arguments)  # noqa: S606 - it is what was asked for
    finally:
        os._exit(127)


def _let_go(lifeline: int) -> None:
    """Close what is the program's, so that its pipes end when it has ended."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        descriptor = int(name)
        if descriptor <= 2:
            os.dup2(nowhere, descriptor)
        elif descriptor != lifeline:
            try:
                os.close(descriptor)
            except OSError:
                pass  # it was the one that read the list


def _wait(program: int, lifeline: int) -> tuple[int | None, bool]:
    """Wait until the program has ended, which answers its status, or is to end; and tell whether the server is gone."""
    wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    poll = select.poll()
    poll.register(lifeline, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while True:
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == program:
                    return ended[1], False
        except ChildProcessError:
            return None, False
        ready = {descriptor for descriptor, _ in poll.poll()}
        if lifeline in ready:
            return None, True
        told = os.read(wake, 512) if wake in ready else b""
        if signal.SIGHUP in told:
            return None, False
        if signal.SIGTERM in told:
            try:
                os.killpg(program, signal.SIGTERM)
            except ProcessLookupError:
                pass


def _end_like(status: int | None) -> None:
    number = signal.SIGKILL if status is None else os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status or 0))


def _signal(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except (ProcessLookupError, PermissionError):
        pass


if __name__ == "__main__":
    main()
