package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/sink/bucket/s3test"
)

func TestARunThatIsToldToStopCommitsWhatItHas(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, server *s3test.Server) {
		t.Helper()
		s := newSite(t, server, sandbox.Options{Users: 2 * crashUsers})
		y, _ := s.yardstick(t)
		s.m.b.misbehave(t, sandbox.Faults{Latency: 100 * time.Millisecond})
		for signal, want := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130} {
			p := s.base.copy(t)
			r := s.begin(t, p, 45)
			if err := r.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			e := r.wait(t)
			if e.code != want || !strings.Contains(e.output, "clean commit") {
				t.Errorf("%v: exit code %d, want %d and a word about it\n%s", signal, e.code, want, e.output)
			}
			if log := readLog(t, p.dir); len(log) != 1 || !log[0].published {
				t.Errorf("%v: the log is %+v, want one commit, published", signal, log)
			}
			var m measured
			if y.inspect(t, p, &m); len(m.problems) > 0 {
				t.Errorf("%v: left behind: %s", signal, m.problems)
			}
			s.m.mustRun(t, p)
			y.check(t, p, fmt.Sprintf("after %v and another run", signal))
		}
	})
}

// begin starts a run and waits until it has asked the bank that often.
func (s *crashSite) begin(t *testing.T, p place, requests int) *mortalRun {
	t.Helper()
	s.m.b.ResetRequests()
	r := s.m.start(t, p, "")
	await(t.Context().Done(), func() bool { return len(s.m.b.Requests()) >= requests })
	return r
}

// The second signal comes when the last commit may be at any of its steps.
func TestASecondSignalEndsARunAtOnceAndLeavesNoHalfCommit(t *testing.T) {
	t.Parallel()
	onBothStores(t, func(t *testing.T, server *s3test.Server) {
		t.Helper()
		s := newSite(t, server, sandbox.Options{Users: crashUsers})
		y, _ := s.yardstick(t)
		for i, after := range []string{"0ms", "2ms", "5ms", "10ms", "20ms", "40ms"} {
			pause, err := time.ParseDuration(after)
			if err != nil {
				t.Fatal(err)
			}
			p := s.base.copy(t)
			r := s.begin(t, p, 20)
			second := time.AfterFunc(pause, func() { _ = r.Process.Signal(syscall.SIGTERM) }) // it may have ended
			if err := r.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			e := r.wait(t)
			second.Stop()
			// It may have been done when the first one came.
			if e.code != 143 && e.code != 0 || time.Since(began) > 10*time.Second {
				t.Errorf("%d: exit code %d (%v) after %v\n%s", i, e.code, e.signal, time.Since(began), e.output)
			}
			if files := uncommitted(t, p.dir); len(files) > 0 {
				t.Errorf("%d: visible, but not committed: %s", i, files)
			}
			p.endLeases(t)
			s.m.mustRun(t, p)
			y.check(t, p, "after a second signal "+after+" later")
		}
	})
}

// stopsAtSink fails unless a run ends with the exit code of a sink that refused,
// and says why; the next one, when all is well again, completes.
func (s *crashSite) stopsAtSink(t *testing.T, y *yardstick, p place, e ended, why string) {
	t.Helper()
	if e.code != 5 || !strings.Contains(e.output, why) {
		t.Errorf("exit code %d (%v), want 5 and %q\n%s", e.code, e.signal, why, e.output)
	}
	if files := uncommitted(t, p.dir); len(files) > 0 {
		t.Errorf("visible, but not committed: %s", files)
	}
	p.endLeases(t)
	s.m.mustRun(t, p)
	y.check(t, p, "after "+why)
}

func TestAFullDiskEndsARunAndTheNextOneCompletes(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs processes")
	}
	s := newSite(t, nil, sandbox.Options{Users: crashUsers})
	y, _ := s.yardstick(t)

	t.Run("files may not grow", func(t *testing.T) {
		t.Parallel()
		for _, blocks := range []int{4, 20, 60} {
			limited, p := s.m, s.base.copy(t)
			limited.limit = fmt.Sprintf("ulimit -f %d", blocks)
			s.stopsAtSink(t, y, p, limited.run(t, p, ""), "file too large")
		}
	})
	t.Run("no space is left", func(t *testing.T) {
		t.Parallel()
		p := s.base.copy(t)
		small := filepath.Join(t.TempDir(), "small")
		if err := os.Mkdir(small, 0o700); err != nil {
			t.Fatal(err)
		}
		mount := func(args ...string) error {
			return exec.CommandContext(t.Context(), args[0], args[1:]...).Run()
		}
		if err := mount("mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", small); err != nil {
			t.Skipf("may not mount a small disk: %v", err)
		}
		defer func() {
			if err := mount("umount", small); err != nil {
				t.Error(err)
			}
		}()
		onSmall := place{dir: filepath.Join(small, "lake")}
		onSmall.url = folderURL(onSmall.dir)
		if err := mount("cp", "-a", p.dir, onSmall.dir); err != nil {
			t.Fatal(err)
		}
		e := s.m.run(t, onSmall, "")
		if files := uncommitted(t, onSmall.dir); len(files) > 0 {
			t.Errorf("visible, but not committed: %s", files)
		}
		p.remove(t)
		if err := mount("cp", "-a", onSmall.dir, p.dir); err != nil {
			t.Fatal(err)
		}
		s.stopsAtSink(t, y, p, e, "no space left on device")
	})
}
