package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
)

// A measure that finds nothing proves nothing.
func TestTheYardstickFindsWhatIsLostTwiceOrLeftOver(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs processes")
	}
	s := newSite(t, nil, sandbox.Options{Users: crashUsers})
	reference := s.base.copy(t)
	s.m.mustRun(t, reference)
	checkMeasure(t, reference, s.want)
	y := newYardstick(t, reference, s.other)
	if m := y.measure(t, reference); m.lost+m.twice+m.orphans+len(m.problems) > 0 {
		t.Fatalf("a lake differs from itself: %+v", m)
	}
	contracts := func(p place) string { return glob(t, p.dir, "contracts/*/*.parquet")[0] }
	write := func(path string) error {
		return os.WriteFile(path, []byte("something"), 0o600)
	}
	for name, c := range map[string]struct {
		damage func(p place) error
		found  func(m measured) bool
	}{
		"a file is gone": {
			func(p place) error { return os.Remove(contracts(p)) },
			func(m measured) bool { return m.lost > 10 },
		},
		"a file is there twice": {
			func(p place) error { return os.Link(contracts(p), strings.Replace(contracts(p), "-0-", "-1-", 1)) },
			func(m measured) bool { return m.twice > 10 && m.orphans == 1 },
		},
		"a record is not published": {
			func(p place) error { return os.Remove(glob(t, p.dir, stateDir+"/log/*.published")[0]) },
			func(m measured) bool { return len(m.problems) == 1 },
		},
		"an upload is pending": {
			func(p place) error { return write(filepath.Join(p.dir, stateDir, "pending", ".users.x.pending")) },
			func(m measured) bool { return m.orphans == 1 },
		},
		"a lease is left over": {
			func(p place) error { return write(filepath.Join(p.dir, stateDir, "leases", "0.json")) },
			func(m measured) bool { return m.orphans == 1 },
		},
		"cursors that no record names": {
			func(p place) error { return write(filepath.Join(p.dir, stateDir, "cursors", "X-0-1.parquet")) },
			func(m measured) bool { return m.orphans == 1 },
		},
		"an upload of another job is gone": {
			func(p place) error { return os.Remove(glob(t, p.dir, "_syncer/other/pending/.*.pending")[0]) },
			func(m measured) bool { return m.orphans == 1 },
		},
	} {
		p := reference.copy(t)
		if err := c.damage(p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if m := y.measure(t, p); !c.found(m) {
			t.Errorf("%s: measured %+v", name, m)
		}
	}
}
