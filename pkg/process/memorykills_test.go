package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheKernelsKillsForMemoryAreFoundInBothVersionsOfCgroups(t *testing.T) {
	const (
		events  = "low 0\nhigh 0\nmax 31\noom 2\noom_kill 2\noom_group_kill 0\n"
		control = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
	)
	for name, c := range map[string]struct {
		membership string
		file, text string
		want       uint64
	}{
		"version 2":                         {"0::/\n", "sys/fs/cgroup/memory.events", events, 2},
		"version 2, a service of systemd":   {"0::/system.slice/worker.service\n", "sys/fs/cgroup/system.slice/worker.service/memory.events", events, 2},
		"version 1 in a container":          {"4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/docker/abc\n", "sys/fs/cgroup/memory/memory.oom_control", control, 3},
		"version 1 on a host":               {"4:memory:/user\n", "sys/fs/cgroup/memory/user/memory.oom_control", control, 3},
		"a kernel that does not count":      {"4:memory:/\n", "sys/fs/cgroup/memory/memory.oom_control", "under_oom 0\n", 0},
		"no cgroups at all":                 {"", "sys/fs/cgroup/none", "", 0},
		"a number that is none is no crash": {"0::/\n", "sys/fs/cgroup/memory.events", "oom_kill many\n", 0},
	} {
		root := t.TempDir()
		for file, text := range map[string]string{"proc/self/cgroup": c.membership, c.file: c.text} {
			file = filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f := findKills(root)
		if got := readKills(f); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
		if f == nil {
			continue
		}
		if err := os.WriteFile(f.Name(), []byte(strings.Replace(c.text, "oom_kill ", "oom_kill 1", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readKills(f); got != c.want+10 {
			t.Errorf("%s: %d once it has grown, want %d", name, got, c.want+10)
		}
		_ = f.Close()
	}
}
