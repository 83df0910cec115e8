"""Longhaul's launcher for Python: imports an engine's modules once, then forks a process for each execution.

Standard library only, Python 3.9 or newer, Linux. docs/warm.md tells what it speaks with the worker, and why.

One process after the other:

    template   imports, then waits for "fork" on fd 3
      shim     a fork of it, which forks the ready process and then becomes Longhaul's shim, its parent
        ready  waits for one execution, takes over its files, environment and folder, and runs the program
               as "python file.py" or "python -m module" would
"""

import builtins
import ctypes
import fcntl
import gc
import importlib
import importlib.machinery
import io
import json
import os
import runpy
import signal
import socket
import stat
import sys
import traceback
import types

CONTROL = 3  # the template's socket to the worker
EVENTS = 3  # the same number is the engine's pipe for events
SHIM_SOCKET, SHIM_READY, SHIM_PROGRAM = 3, 4, 5  # what the shim expects
PR_SET_PDEATHSIG = 1
MARK = b"EXECUTION_ID="

libc = ctypes.CDLL(None, use_errno=True)


def main():
    control = socket.socket(fileno=CONTROL)
    os.set_inheritable(CONTROL, False)
    task = json.loads(control.recv(1 << 20))
    task["added"] = added_by_start(task["env"])
    sys.argv = [task["script"] or "-m"]
    first = set_first_path(task, sys.path[0])
    try:
        for name in task["import"]:
            importlib.import_module(name)
        mark = find_mark()
        refused = objections()
    except BaseException as error:  # SystemExit too
        traceback.print_exc()
        refused = f"import: {type(error).__name__}: {error}"
    flush()
    if refused:
        control.send(json.dumps({"refused": refused[:1000]}).encode())  # 16 KiB at most, whatever it is written in
        os._exit(1)
    gc.collect()
    gc.freeze()  # so that a collection in a fork does not write to every page that it shares with the others
    own = signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # shims that have ended are nobody's business here
    try:
        control.send(b'{"ready": true}')
        request = serve(control, own)  # returns in a ready process only
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # not what atexit was given: it is the executions'
    execute(task, first, mark, request)


# The template.


def objections():
    """Says what a fork would take along that must not be shared, or would not survive it; "" if nothing."""
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        names = []
        if "threading" in sys.modules:
            names = [t.name for t in sys.modules["threading"].enumerate()][1:]
        named = f" ({', '.join(names)})" if names else ""
        return (
            f"the import has started {threads - 1} threads{named}, and a fork takes along none of them: "
            "start them when the work begins; for BLAS set OPENBLAS_NUM_THREADS, OMP_NUM_THREADS or MKL_NUM_THREADS to 1 under env"
        )
    for fd, target in open_files():
        if not may_stay_open(fd):
            return f"the import has left {target} open (file {fd}), which all executions would share: open it when the work begins"
    with open("/proc/self/maps") as maps:
        for line in maps:
            fields = line.split(None, 5)
            if fields[1][1] == "w" and fields[1][3] == "s":
                return "the import has made memory that processes share" + (f" ({fields[5].strip()})" if len(fields) > 5 else "")
    return ""


def open_files():
    found = []
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        try:
            if fd > CONTROL:
                found.append((fd, os.readlink(f"/proc/self/fd/{fd}")))
        except OSError:
            pass  # the listing itself
    return found


def may_stay_open(fd):
    info = os.fstat(fd)
    if stat.S_ISCHR(info.st_mode):
        return os.readlink(f"/proc/self/fd/{fd}") in ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
    return stat.S_ISDIR(info.st_mode) or read_only_file(fd, info)


def read_only_file(fd, info):
    return stat.S_ISREG(info.st_mode) and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY


def added_by_start(env):
    """Lists what the interpreter, or a wrapper of it, has put into the environment: LC_CTYPE, say. A cold start would, too."""
    given = dict(entry.partition("=")[::2] for entry in env)
    return [(k, v, given.get(k)) for k, v in os.environ.items() if given.get(k) != v and k != "EXECUTION_ID"]


def find_mark():
    """Finds where the kernel shows this process's first environment, and in it the room for an execution's id."""
    with open("/proc/self/environ", "rb") as f:
        environ = f.read()
    with open("/proc/self/stat", "rb") as f:
        fields = f.read().rpartition(b")")[2].split()
    start = int(fields[47])  # env_start, proc_pid_stat(5)
    at = 0 if environ.startswith(MARK) else environ.find(b"\0" + MARK) + 1
    if at == 0 and not environ.startswith(MARK):
        raise RuntimeError("the import has overwritten the environment that the kernel shows")
    value = environ[at + len(MARK) :].partition(b"\0")[0]
    return start + at + len(MARK), len(value)


def serve(control, own):
    while True:
        message, fds, _, _ = socket.recv_fds(control, 16384, 3, socket.MSG_CMSG_CLOEXEC)
        if not message:
            os._exit(0)  # the worker has retired us
        flush()
        words = message.split(b"\0")
        if words[0] == b"fork" and len(fds) == 3 and os.fork() == 0:
            return become(words[1:], fds, control, own)
        for fd in fds:
            os.close(fd)


def become(words, fds, control, own):
    """Is the template's fork: forks the ready process, and turns into the shim. Returns in the ready process."""
    shim_socket, program, errors = fds
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the shim must hear of its children
    os.setsid()
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    shim = os.getpid()
    ready = os.fork()
    if ready == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != shim:
            os._exit(1)
        os.setsid()
        signal.signal(signal.SIGCHLD, own if own is not None else signal.SIG_DFL)
        for fd in fds:
            os.close(fd)
        mine.close()
        return wait(control, theirs)
    null = os.open(os.devnull, os.O_RDWR)
    place = {0: null, 1: null, 2: errors, SHIM_SOCKET: shim_socket, SHIM_READY: mine.fileno(), SHIM_PROGRAM: program}
    place = {to: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64) for to, fd in place.items()}  # out of each other's way
    for to, fd in place.items():
        os.dup2(fd, to, inheritable=to != SHIM_PROGRAM)
    os.closerange(SHIM_PROGRAM + 1, max(int(fd) for fd in os.listdir("/proc/self/fd")) + 1)
    os.execve(SHIM_PROGRAM, words[:1], dict([w.split(b"=", 1) for w in words[1:]] + [(b"LONGHAUL_READY", b"%d" % ready)]))


# The ready process.


def wait(control, shim):
    """Waits for an execution, whose files become this process's. Returns its request."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, CONTROL)  # nothing else may come to lie there
    control.detach()
    for fd, _ in open_files():
        info = os.fstat(fd)
        if fd not in (null, shim.fileno()) and read_only_file(fd, info):
            reopen(fd)
    shim.send(b"r")
    message, fds, flags, _ = socket.recv_fds(shim, 16, 8, socket.MSG_CMSG_CLOEXEC)
    if message != b"run":
        os._exit(0)  # not wanted any more
    if flags & socket.MSG_CTRUNC:
        raise OSError("the limit open_files leaves no room for the files of an execution")
    request = io.FileIO(fds[0]).readall() if os.lseek(fds[0], 0, os.SEEK_SET) == 0 else b""
    for to, fd in zip((1, 2, EVENTS), fds[1:]):
        os.dup2(fd, to)
    os.dup2(fds[4] if len(fds) > 4 else null, 0)
    for fd in [null] + fds[1:]:
        os.close(fd)
    shim.close()
    return request


def reopen(fd):
    """Gives a file that the import left open a position of its own."""
    path = f"/proc/self/fd/{fd}"
    inherited = os.get_inheritable(fd)
    new = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    os.lseek(new, os.lseek(fd, 0, os.SEEK_CUR), os.SEEK_SET)
    os.dup2(new, fd, inheritable=inherited)
    os.close(new)


def execute(task, first, mark, request):
    version, folder, _, *rest = request.split(b"\0")
    if version != b"1":
        sys.exit("longhaul: the launcher does not know this form of a request")
    count = int(rest[0])
    args, rest = rest[1 : 1 + count], rest[1 + count :]
    take_environment(rest[1 : 1 + int(rest[0])], task["added"], mark)
    if folder:
        os.chdir(folder)
    args = [os.fsdecode(a) for a in args]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv = sys.orig_argv[:1] + args
    reseed()
    args = args[task["skip"] :]
    this = sys.modules["__main__"]  # kept alive by this name: our own functions are in it
    main_module = sys.modules["__main__"] = types.ModuleType("__main__")
    main_module.__builtins__ = builtins
    set_first_path(task, first)
    try:
        if task["script"]:
            sys.argv = [task["script"]] + args
            run_file(task["script"], main_module)
        else:
            sys.argv = ["-m"] + args
            runpy._run_module_as_main(task["module"])  # what the interpreter's own -m calls
    except SystemExit:
        raise
    except BaseException:
        hook = sys.excepthook

        def without_us(kind, error, trace):
            trace = skip(trace, this.__file__)
            hook(kind, error.with_traceback(trace), trace)

        sys.excepthook = without_us
        raise


def take_environment(entries, added, mark):
    """Replaces all of the environment: what Python sees, what C sees, and the id that the kernel shows."""
    os.environ.clear()
    libc.clearenv()  # what C code has set at import, and Python does not know
    for entry in entries:
        name, equals, value = entry.partition(b"=")
        if equals:
            os.environb[name] = value
    for name, value, given in added:
        if os.environ.get(name) == given:
            os.environ[name] = value
    address, room = mark
    value = os.environb.get(b"EXECUTION_ID", b"")[:room]
    memory = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
    os.pwrite(memory, value.ljust(room, b"\0"), address)
    os.close(memory)


def reseed():
    """Gives generators that were seeded at import a seed of their own, or forks would draw the same numbers: random does so itself."""
    loaded = sys.modules
    if "numpy.random" in loaded:
        loaded["numpy.random"].seed()
    if "torch" in loaded and hasattr(loaded["torch"], "seed"):
        loaded["torch"].seed()
    if "ssl" in loaded:
        loaded["ssl"].RAND_add(os.urandom(32), 32.0)
    if "tempfile" in loaded:
        loaded["tempfile"].tempdir = None  # TMPDIR may be another now


def set_first_path(task, old):
    """Sets what is first in sys.path as the interpreter does: the script's folder, or the working directory for -m."""
    if getattr(sys.flags, "safe_path", False) or sys.flags.isolated:
        return None
    new = os.path.dirname(os.path.realpath(task["script"])) if task["script"] else os.getcwd()
    if old in sys.path:
        sys.path[sys.path.index(old)] = new  # the import may have put something before it
    return new


def run_file(script, main_module):
    path = script if os.path.isabs(script) else os.path.join(os.getcwd(), script)
    try:
        with io.open_code(path) as f:
            source = f.read()
    except OSError as error:
        print(f"{sys.executable}: can't open file {path!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        sys.exit(2)
    space = main_module.__dict__
    space.update(__file__=path, __cached__=None, __annotations__={})
    space["__loader__"] = importlib.machinery.SourceFileLoader("__main__", path)
    exec(compile(source, path, "exec", dont_inherit=True), space)


def skip(trace, ours):
    while trace is not None and trace.tb_frame.f_code.co_filename == ours:
        trace = trace.tb_next
    return trace


def flush():
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


if __name__ == "__main__":
    main()
