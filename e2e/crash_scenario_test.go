package e2e

import (
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/sink/bucket/s3test"
	"finoos-syncer/internal/sink/cursors"
)

// crashSite is a lake just before a run with work to do, that run, and what is
// to come of it.
type crashSite struct {
	m     mortals
	base  place
	want  truth
	other map[string]string                  // files of other jobs
	only  func(all []string, op string) bool // the steps to die at; nil for all
	tests bool                               // it dies in its self-test, too
}

// crashUsers are enough for several batches, and few enough for thousands of
// runs.
const crashUsers = 3

// newSite is an empty lake, with other jobs beside.
func newSite(t *testing.T, server *s3test.Server, o sandbox.Options) *crashSite {
	t.Helper()
	o.Today, o.Nightly = daysBefore(5), sandbox.Odds{Analysed: 1, Gone: -1, Joined: -1, Login: -1}
	s := &crashSite{base: newPlace(t, server)}
	s.m = mortals{b: newBank(t, o), dir: t.TempDir(), s: settings{job: []string{"full_refresh_every: 8760h"}}}
	s.want = s.m.b
	s.base.addBystanders(t)
	s.other = s.base.files(t)
	return s
}

// crashScenarios are the runs that are killed at each of their steps.
var crashScenarios = []struct {
	name string
	make func(*testing.T, *s3test.Server) *crashSite
}{
	{"first night", func(t *testing.T, server *s3test.Server) *crashSite {
		t.Helper()
		return newSite(t, server, sandbox.Options{Users: crashUsers})
	}},
	{"second night", func(t *testing.T, server *s3test.Server) *crashSite {
		t.Helper()
		s := secondNight(t, server)
		s.tests = true
		return s
	}},
	{"several commits", func(t *testing.T, server *s3test.Server) *crashSite {
		t.Helper()
		s := newSite(t, server, sandbox.Options{Users: crashUsers})
		s.m.tune = "look=5ms,commit=5ms,file=20000,lease=400ms"
		return s
	}},
	{"checkpoint and sweep", checkpointNight},
	{"after a death before the commit", func(t *testing.T, server *s3test.Server) *crashSite {
		t.Helper()
		s := secondNight(t, server)
		s.base = s.dead(t, "put log/N.json")
		return s
	}},
	{"after a death while publishing", func(t *testing.T, server *s3test.Server) *crashSite {
		t.Helper()
		s := secondNight(t, server)
		s.base = s.dead(t, "complete contracts")
		return s
	}},
	{"after an upload was lost", func(t *testing.T, server *s3test.Server) *crashSite {
		t.Helper()
		s := newSite(t, server, sandbox.Options{Users: crashUsers})
		s.base = s.dead(t, "complete contracts")
		s.loseUpload(t, "contracts")
		return s
	}},
	{"files of several parts", func(t *testing.T, server *s3test.Server) *crashSite {
		t.Helper()
		if !*crashFull {
			t.Skip("takes many rows")
		}
		s := newSite(t, server, sandbox.Options{Users: 55})
		s.m.s.sink = []string{"compression: none"}
		s.m.s.job = append(s.m.s.job, "streams: [transactions]")
		s.want = truthOf{truth: s.m.b, tables: []string{"transactions"}}
		s.only = inParts
		return s
	}},
}

func secondNight(t *testing.T, server *s3test.Server) *crashSite {
	t.Helper()
	s := newSite(t, server, sandbox.Options{Users: crashUsers})
	s.m.mustRun(t, s.base)
	s.m.b.Night()
	return s
}

// checkpointNight is a run after which old cursors are cleared away. It is one
// of 32 shards, so that there are eight checkpoints to write and not 256.
func checkpointNight(t *testing.T, server *s3test.Server) *crashSite {
	t.Helper()
	const shards = 32
	s := newSite(t, server, sandbox.Options{Users: 40})
	byShard := map[int][]string{}
	for _, id := range s.m.b.users(40) {
		i := cursors.BucketOf(id) % shards
		byShard[i] = append(byShard[i], id)
	}
	shard := 0
	for i := range shards {
		if n := len(byShard[i]); n > len(byShard[shard]) && n <= crashUsers {
			shard = i
		}
	}
	s.want = truthOf{truth: s.m.b, users: byShard[shard]}
	s.m.args = []string{"--shard", strconv.Itoa(shard) + "/" + strconv.Itoa(shards)}
	s.m.tune = "checkpoint=1"
	for range 3 {
		s.m.mustRun(t, s.base)
		s.m.b.Night()
	}
	return s
}

// truthOf is the truth about some of the users, or some of the tables; nil for
// all of them.
type truthOf struct {
	truth
	users, tables []string
}

func (o truthOf) Truth(name string) iter.Seq[map[string]any] {
	return func(yield func(map[string]any) bool) {
		if o.tables != nil && !slices.Contains(o.tables, name) {
			return
		}
		for r := range o.truth.Truth(name) {
			if id, _ := r["user_id"].(string); (o.users == nil || slices.Contains(o.users, id)) && !yield(r) {
				return
			}
		}
	}
}

// dead is the lake that a run leaves that dies just before its first step of a
// kind.
func (s *crashSite) dead(t *testing.T, kind string) place {
	t.Helper()
	counted := s.base.copy(t)
	steps := s.m.mustRun(t, counted)
	counted.remove(t)
	for range 10 { // steps of different workers may change places
		at := slices.IndexFunc(steps, func(op string) bool { return kindOf(op) == kind })
		p := s.base.copy(t)
		e := s.m.run(t, p, "before:"+strconv.Itoa(at+1))
		if e.killed() && kindOf(e.trace[len(e.trace)-1]) == kind {
			p.endLeases(t)
			return p
		}
		p.remove(t)
		steps = e.trace
	}
	t.Fatalf("no run died before %q", kind)
	return place{}
}

// loseUpload removes a pending upload to a table, as a lifecycle rule does.
func (s *crashSite) loseUpload(t *testing.T, table string) {
	t.Helper()
	if s.base.server != nil {
		n := s.base.server.AbortUploads(t, s.base.url, func(key string) bool {
			return strings.HasPrefix(key, table+"/") && !strings.Contains(key, bystanderDay)
		})
		if n != 1 {
			t.Fatalf("%d pending uploads to %s", n, table)
		}
		return
	}
	found := glob(t, s.base.dir, stateDir+"/pending/."+table+"*.pending")
	if len(found) != 1 {
		t.Fatalf("pending uploads to %s: %s", table, found)
	}
	if err := os.Remove(found[0]); err != nil {
		t.Fatal(err)
	}
}

// kindOf is what an operation is for: "part transactions", "put log/N.json".
func kindOf(op string) string {
	what, key, _ := strings.Cut(op, " ")
	state, isState := strings.CutPrefix(key, stateDir+"/")
	if !isState {
		table, _, _ := strings.Cut(key, "/")
		return what + " " + table
	}
	dir, name, _ := strings.Cut(state, "/")
	if dir == "log" && name != "" {
		return what + " log/N" + filepath.Ext(name)
	}
	return what + " " + dir
}

// inSelfTest tells of what a run does before it looks at the lake. It is the
// same in all situations: one of them dies there.
func inSelfTest(op string) bool {
	return strings.HasSuffix(kindOf(op), " selftest")
}

// inParts chooses what happens to files that have more than one part.
func inParts(all []string, op string) bool {
	_, key, _ := strings.Cut(op, " ")
	parts := 0
	for _, other := range all {
		if other == "part "+key {
			parts++
		}
	}
	return parts > 1 && writes(op)
}
