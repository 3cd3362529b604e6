package e2e

import (
	"crypto/rand"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/bucket/s3test"
)

// place is where a lake is: a folder, or a bucket of a real S3 server. The
// server keeps objects as files, so that both can be copied, looked at and made
// older in the same way, behind the back of who writes them.
type place struct {
	url, dir string
	server   *s3test.Server // nil for a folder
}

// newPlace is an empty one: a folder if there is no server.
func newPlace(t *testing.T, server *s3test.Server) place {
	t.Helper()
	if server == nil {
		dir := filepath.Join(t.TempDir(), "lake")
		return place{url: folderURL(dir), dir: dir}
	}
	p := place{url: server.NewBucket(t), server: server}
	p.dir = filepath.Join(server.Data, p.bucket(t))
	return p
}

func (p place) bucket(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// copy is the same lake in another place, with everything that a dead process
// leaves there: pending uploads, locks, leases.
func (p place) copy(t *testing.T) place {
	t.Helper()
	name := "copy-" + strings.ToLower(rand.Text())
	to := p
	to.dir = filepath.Join(filepath.Dir(p.dir), name)
	if p.server == nil {
		to.url = folderURL(to.dir)
	} else {
		to.url = strings.Replace(p.url, p.bucket(t), name, 1)
	}
	// Not os.CopyFS: an S3 server keeps metadata in extended attributes.
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", p.dir, to.dir).CombinedOutput(); err != nil {
		t.Fatalf("copy a lake: %v: %s", err, out)
	}
	return to
}

func (p place) remove(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(p.dir); err != nil {
		t.Error(err)
	}
}

// env is what a command needs to write there.
func (p place) env() []string {
	if p.server == nil {
		return nil
	}
	return p.server.Env
}

// open opens the place as a job would.
func (p place) open(t *testing.T, job string) bucket.Store {
	t.Helper()
	opts := bucket.Options{}
	if p.server != nil {
		opts = p.server.Options()
	}
	opts.Pending = "_syncer/" + job + "/pending"
	store, err := bucket.Open(t.Context(), p.url, opts)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	return store
}

// endLeases lets an hour pass for the leases that dead runs of the job left.
func (p place) endLeases(t *testing.T) {
	t.Helper()
	before := time.Now().Add(-time.Hour)
	for _, path := range glob(t, p.dir, stateDir+"/leases/*.json") {
		if err := os.Chtimes(path, before, before); err != nil && ignoreAbsent(err) != nil {
			t.Fatal(err)
		}
	}
}

// files are the contents of all files in a place by path, those included that
// an S3 server keeps parts in.
func (p place) files(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(p.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return ignoreAbsent(err)
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(p.dir, path)
		found[filepath.ToSlash(rel)] = string(body)
		return err
	})
	if err != nil {
		t.Fatalf("list files: %v", err)
	}
	return found
}

// bystanderDay tells what other jobs upload.
const bystanderDay = "ingest_date=2001-01-01"

// addBystanders puts the state of other jobs beside, dead in the middle of their
// work: nobody but they themselves may touch it.
func (p place) addBystanders(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	for _, job := range []string{"nightly2", "other"} {
		store, state := p.open(t, job), "_syncer/"+job+"/"
		key := "contracts/" + bystanderDay + "/" + strings.ToUpper(job) + "-0-1.parquet"
		cursors := state + "cursors/X-0-2.parquet"
		up, err := store.CreateUpload(ctx, key)
		if err == nil {
			_, err = store.UploadPart(ctx, up, 1, []byte("a part of another job"))
		}
		if err != nil {
			t.Fatal(err)
		}
		for key, body := range map[string]string{
			state + "staging/X-0.json":    `{"run_id":"X","kind":"run","shard":0,"shards":1,"base_seq":0,"uploads":["` + key + `"],"cursors":["` + cursors + `"]}`,
			state + "leases/0.json":       `{"run_id":"X","holder":"dead","kind":"run","shard":0,"shards":1}`,
			state + "selftest/X":          "self-test",
			state + "selftest/_X":         "self-test",
			state + "attempts/X-0-1.json": `{"version":1,"run_id":"X","attempts":[{"user_id":"u","bank_login_id":"l","at":"2001-01-01T00:00:00Z"}]}`,
			cursors:                       "cursors",
		} {
			if _, err := store.Put(ctx, key, []byte(body), bucket.Condition{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
