package warm_test

import (
	"syscall"
	"testing"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/pkg/process/processtest"
)

// ownLauncher speaks the protocol as docs/warm.md tells it, and no more: its ready process executes the engine's program, whatever that is.
const ownLauncher = `
import ctypes, fcntl, json, os, signal, socket, sys
control = socket.socket(fileno=3)
task = json.loads(control.recv(1 << 20))
assert sys.argv[1:] == ["-an", "option"] and task["import"] == ["lib/what ever.sh"] and task["command"] == ["sh", "main.sh"], (sys.argv, task)
assert "FROM_CATALOG=c" in task["env"] and "SECRET" not in os.environ
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
control.send(b'{"ready": true}')
while True:
    message, fds, _, _ = socket.recv_fds(control, 16384, 3)
    if not message:
        os._exit(0)
    if os.fork() == 0:
        break
    for fd in fds:
        os.close(fd)
os.setsid()
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
null = os.open(os.devnull, os.O_RDWR)
shim, ready = os.getpid(), os.fork()
if ready:
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 50) for fd in (null, null, fds[2], fds[0], mine.fileno(), fds[1])]
    for to, fd in enumerate(high[:5]):
        os.dup2(fd, to)
    os.closerange(5, 50)
    name, *variables = message.split(b"\0")[1:]
    os.execve(high[5], [name], dict([v.split(b"=", 1) for v in variables] + [(b"LONGHAUL_READY", b"%d" % ready)]))
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
if os.getppid() != shim:
    os._exit(1)
os.setsid()
for fd in fds + [mine.detach(), control.detach()]:
    os.close(fd)
theirs.send(b"r")
message, fds, _, _ = socket.recv_fds(theirs, 16, 8)
if message != b"run":
    os._exit(0)
os.lseek(fds[0], 0, os.SEEK_SET)
version, folder, program, *rest = os.fdopen(fds[0], "rb").read().split(b"\0")
count = int(rest[0])
args, rest = rest[1 : 1 + count], rest[1 + count :]
variables = rest[1 : 1 + int(rest[0])]
fds = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 50) for fd in fds[1:]]
for to, fd in zip((1, 2, 3, 0), fds if len(fds) > 3 else fds + [null]):
    os.dup2(fd, to)
os.closerange(4, 50)
os.chdir(folder)
os.execve(program, [program] + args, dict(v.split(b"=", 1) for v in variables))
`

func TestALauncherOfOnesOwnKeepsAnyProgramWarm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "own.py", ownLauncher)
	write(t, dir, "main.sh", `
trap 'echo asked; exit 7' TERM
echo "$@"; echo "$SECRET $FROM_CATALOG $FROM_REQUEST"; pwd; ls /proc/self/fd; cat; echo event >&3; echo error >&2
[ "$1" = stay ] || exit 5
while :; do sleep 0.05; done
`)
	s := openCatalog(t, dir, "engines:\n  e:\n    command: [sh, main.sh]\n    cwd: .\n    env: {FROM_CATALOG: c}\n"+
		"    allow_args: any\n    env_from_request: [FROM_REQUEST]\n    secrets: {SECRET: {optional: true}}\n"+
		"    warm: {processes: 1, import: [lib/what ever.sh], launcher: [python3, own.py, -an, option]}\n")
	compare(t, s, "one", "two words")
	for range 2 {
		r := s.startWarm(s.commandOf(&execution.Spec{Engine: "e", Args: []string{"stay"}}))
		if r.line() != "stay" {
			t.Fatal("it has other arguments")
		}
		processtest.Eventually(t, "the end of its first words", func() bool { return r.stderr.String() == "error\n" })
		r.Terminate(processtest.Patience)
		if _, exit := r.whole(); exit.Code != 7 {
			t.Errorf("got %v, %s", exit, r.stderr)
		}
	}
	r := s.startWarm(s.commandOf(&execution.Spec{Engine: "e", Args: []string{"stay"}}))
	r.line()
	kill(t, parent(r.PID()), syscall.SIGKILL)
	if exit := r.wait(); !exit.ShimLost {
		t.Errorf("want lost, got %+v", exit)
	}
}
