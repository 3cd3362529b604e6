package process

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// machine is a procfs in a folder, in which process 7 asks about process 42.
type machine struct {
	t    *testing.T
	dir  string
	kill error // what a signal to 42 meets
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir()}
	m.write("sys/kernel/random/boot_id", "boot\n")
	m.write("self/status", "Name:\tsyncer\nNSpid:\t7\n")
	m.link("self/ns/pid", "pid:[1]")
	m.link("self/ns/time", "time:[2]")
	m.write("7/stat", statText(7, "syncer", "R", 9, 700))
	m.write("42/stat", statText(42, "syncer", "S", 9, 4200))
	return m
}

func statText(pid int, name, state string, threads int, start uint64) string {
	return fmt.Sprintf("%d (%s) %s 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 %d 0 %d 3133440 380\n", pid, name, state, threads, start)
}

func (m *machine) write(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) link(name, to string) {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) remove(name string) {
	m.t.Helper()
	if err := os.RemoveAll(filepath.Join(m.dir, name)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) system() procfs {
	return procfs{proc: m.dir, host: "host", pid: 7, signal: func(pid int, sig unix.Signal) error {
		if pid != 42 || sig != 0 {
			m.t.Errorf("process %d gets signal %d", pid, sig)
		}
		return m.kill
	}}
}

// holder is process 42.
var holder = Identity{Host: "host", BootID: "boot", PIDNamespace: "pid:[1]", TimeNamespace: "time:[2]", PID: 42, Start: 4200}

func TestAProcessTellsWhoItIs(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	want := Identity{Host: "host", BootID: "boot", PIDNamespace: "pid:[1]", TimeNamespace: "time:[2]", PID: 7, Start: 700}
	if got := m.system().self(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	m.remove("self/ns/time") // a kernel of before 2020
	if want.TimeNamespace = ""; m.system().self() != want {
		t.Errorf("%+v, want %+v", m.system().self(), want)
	}
}

func TestAProcessIsGoneOnlyWhereThatIsCertain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(m *machine, id *Identity)
		gone   bool
	}{
		"it is not there": {func(m *machine, _ *Identity) { m.kill = unix.ESRCH; m.remove("42") }, true},
		"its number is another's": {func(m *machine, _ *Identity) {
			m.write("42/stat", statText(42, "sh", "S", 1, 4201))
		}, true},
		"its number is another user's process": {func(m *machine, _ *Identity) {
			m.kill = unix.EPERM
			m.write("42/stat", statText(42, "sh", "S", 1, 99))
		}, true},
		"a zombie": {func(m *machine, _ *Identity) { m.write("42/stat", statText(42, "syncer", "Z", 1, 4200)) }, true},
		"dead":     {func(m *machine, _ *Identity) { m.write("42/stat", statText(42, "syncer", "X", 0, 4200)) }, true},

		"it sleeps":     {func(*machine, *Identity) {}, false},
		"it is stopped": {func(m *machine, _ *Identity) { m.write("42/stat", statText(42, "syncer", "T", 9, 4200)) }, false},
		"it is traced":  {func(m *machine, _ *Identity) { m.write("42/stat", statText(42, "syncer", "t", 9, 4200)) }, false},
		"it waits for a disk": {func(m *machine, _ *Identity) {
			m.write("42/stat", statText(42, "syncer", "D", 9, 4200))
		}, false},
		"threads of a zombie run on": {func(m *machine, _ *Identity) {
			m.write("42/stat", statText(42, "syncer", "Z", 2, 4200))
		}, false},
		"a name that looks like the end": {func(m *machine, _ *Identity) {
			m.write("42/stat", statText(42, "x) Z 1 (y", "S", 9, 4200))
		}, false},
		"another user's process":     {func(m *machine, _ *Identity) { m.kill = unix.EPERM }, false},
		"hidden from other users":    {func(m *machine, _ *Identity) { m.kill = unix.EPERM; m.remove("42") }, false},
		"signals are not allowed":    {func(m *machine, _ *Identity) { m.kill = unix.ENOSYS; m.remove("42") }, false},
		"a signal finds it, no file": {func(m *machine, _ *Identity) { m.remove("42") }, false},
		"a file shows it, no signal": {func(m *machine, _ *Identity) { m.kill = unix.ESRCH }, false},
		"its file is empty":          {func(m *machine, _ *Identity) { m.write("42/stat", "") }, false},
		"its file is cut off":        {func(m *machine, _ *Identity) { m.write("42/stat", "42 (syncer) Z 1 1") }, false},
		"its file is of another format": {func(m *machine, _ *Identity) {
			m.write("42/stat", strings.Replace(statText(42, "syncer", "S", 9, 4200), "4200", "soon", 1))
		}, false},

		"of another host":           {func(m *machine, id *Identity) { m.die(); id.Host = "other" }, false},
		"of another boot":           {func(m *machine, id *Identity) { m.die(); id.BootID = "other" }, false},
		"of another container":      {func(m *machine, id *Identity) { m.die(); id.PIDNamespace = "pid:[9]" }, false},
		"of another time namespace": {func(m *machine, id *Identity) { m.die(); id.TimeNamespace = "time:[9]" }, false},
		"of nobody":                 {func(m *machine, id *Identity) { m.die(); *id = Identity{} }, false},
		"without a host":            {func(m *machine, id *Identity) { m.die(); id.Host = "" }, false},
		"without a start":           {func(m *machine, id *Identity) { m.die(); id.Start = 0 }, false},
		"of no number":              {func(m *machine, id *Identity) { m.die(); id.PID = 0 }, false},
		"of all processes":          {func(m *machine, id *Identity) { m.die(); id.PID = -1 }, false},
		"of too great a number":     {func(m *machine, id *Identity) { m.die(); id.PID = 42 + 1<<32 }, false},

		"asked where procfs is another container's": {func(m *machine, _ *Identity) {
			m.die()
			m.write("self/status", "NSpid:\t1000\t7\n")
		}, false},
		"asked where procfs does not say whose it is": {func(m *machine, _ *Identity) { m.die(); m.write("self/status", "Name:\tsyncer\n") }, false},
		"asked without a boot id":                     {func(m *machine, id *Identity) { m.die(); m.remove("sys"); id.BootID = "" }, false},
		"asked without a namespace": {func(m *machine, id *Identity) {
			m.die()
			m.remove("self/ns/pid")
			id.PIDNamespace = ""
		}, false},
		"asked without procfs": {func(m *machine, _ *Identity) { m.die(); m.remove("") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, id := newMachine(t), holder
			test.change(m, &id)
			s := m.system()
			if got := s.gone(s.self(), id); got != test.gone {
				t.Errorf("gone: %v, want %v", got, test.gone)
			}
		})
	}
}

func (m *machine) die() { m.kill = unix.ESRCH; m.remove("42") }

// TestChild is what the test below starts: a process that says who it is and
// waits for its end.
func TestChild(t *testing.T) {
	t.Parallel()
	if len(os.Args) == 0 || os.Args[len(os.Args)-1] != "child" {
		t.Skip("started by other tests")
	}
	id := Self()
	_, _ = fmt.Fprintln(os.Stdout, "I am", id.PID, id.Start)
	select {}
}

func TestAKilledProcessIsGoneAndAStoppedOneIsNot(t *testing.T) {
	t.Parallel()
	if Self() == (Identity{}) {
		t.Fatal("this system does not tell who a process is")
	}
	if Gone(Self()) {
		t.Fatal("who asks is gone")
	}
	child, id := startChild(t)
	if Gone(id) {
		t.Error("a living process is gone")
	}
	if err := child.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	awaitState(t, id.PID, "T")
	if Gone(id) {
		t.Error("a stopped process is gone")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	awaitState(t, id.PID, "Z")
	if !Gone(id) {
		t.Error("a zombie is not gone")
	}
	_ = child.Wait() // it was killed
	if !Gone(id) {
		t.Error("a process that has ended is not gone")
	}
	later := Self()
	if later.Start--; !Gone(later) {
		t.Error("a process whose number is another's is not gone")
	}
}

func startChild(t *testing.T) (*exec.Cmd, Identity) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "--", "child")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	id := Self()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "I am %d %d", &id.PID, &id.Start); err == nil {
			return child, id
		}
	}
	t.Fatal("the child has not said who it is")
	return nil, id
}

// awaitState waits until the kernel has got that far.
func awaitState(t *testing.T, pid int, state string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-time.After(time.Millisecond) {
		if found, err := here().stat(pid); err == nil && found.state == state && (state != "Z" || found.threads <= 1) {
			return
		}
	}
	t.Fatalf("process %s is not %s", strconv.Itoa(pid), state)
}
