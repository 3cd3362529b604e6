package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/sink/bucket"
)

// loaderSQL is the loader of docs/warehouse.md, as it is printed there.
func loaderSQL(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "docs", "warehouse.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "## The commit log, for loaders")
	_, section, hasBlock := strings.Cut(section, "```sql\n")
	block, _, ends := strings.Cut(section, "```\n")
	if !ok || !hasBlock || !ends {
		t.Fatal("docs/warehouse.md prints no loader")
	}
	return block
}

// warehouse is a database of its own that the loader loads into.
type warehouse struct{ *lake }

func newWarehouse(t *testing.T) warehouse {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // an in-memory database, and its variables, belong to their connection
	t.Cleanup(func() { _ = db.Close() })
	return warehouse{&lake{db: db}}
}

func (w warehouse) load(t *testing.T, script string) error {
	t.Helper()
	_, err := w.db.ExecContext(t.Context(), script)
	if err != nil {
		_, _ = w.db.ExecContext(t.Context(), "ROLLBACK") // fails where nothing was begun
	}
	return err
}

// holds fails unless the warehouse has read up to a number, and holds exactly
// the rows of these files.
func (w warehouse) holds(t *testing.T, upTo uint64, files []string) {
	t.Helper()
	const summary = "SELECT count(*) AS rows, coalesce(sum(amount), 0)::VARCHAR AS amount, " +
		"bit_xor(hash(user_id, contract_id, _op, _extracted_at))::VARCHAR AS hash FROM "
	want := row{"rows": int64(0), "amount": "0.0000", "hash": nil}
	if len(files) > 0 {
		want = w.query(t, summary+"read_parquet(['"+strings.Join(files, "', '")+"'], hive_partitioning = false)")[0]
	}
	if got := w.query(t, summary+"contracts_log")[0]; got["rows"] != want["rows"] || got["hash"] != want["hash"] || got["amount"] != want["amount"] && len(files) > 0 {
		t.Errorf("loaded %v, want %v", got, want)
	}
	if got := w.count(t, "SELECT seq::BIGINT FROM loaded WHERE job = 'nightly'"); got != int64(upTo) {
		t.Errorf("loaded up to %d, want %d", got, upTo)
	}
}

// contractFiles are those of the commits up to a number, without some.
func contractFiles(log []commit, upTo uint64, without ...uint64) (files []string) {
	for _, c := range log {
		skip := c.Seq > upTo
		for _, seq := range without {
			skip = skip || c.Seq == seq
		}
		for _, f := range c.Files {
			if f.Table == "contracts" && !skip {
				files = append(files, "lake/"+f.Path)
			}
		}
	}
	return files
}

// It is not parallel: the loader names ./lake, so it stands in a folder of its own.
func TestTheLoaderOfTheDocsLoadsEveryCommitOnce(t *testing.T) {
	script := loaderSQL(t)
	dir := t.TempDir()
	t.Chdir(dir)
	b := newBank(t, sandbox.Options{Users: 20})
	w := newWarehouse(t)
	var last uint64
	for n := 1; n <= nights; n++ {
		if n > 1 {
			b.Night()
		}
		b.night(t, filepath.Join(dir, "lake"), seldom)
		log := readLog(t, "lake")
		last = log[len(log)-1].Seq
		for range 2 { // the second time there is nothing new
			if err := w.load(t, script); err != nil {
				t.Fatalf("night %d: %v", n, err)
			}
			w.holds(t, last, contractFiles(log, last))
		}
	}
	log := readLog(t, "lake")
	if last < nights || len(contractFiles(log, last)) < 2 {
		t.Fatalf("%d commits with %d files: nothing is shown", last, len(contractFiles(log, last)))
	}
	t.Log("it stops before the first number without a mark, also where later ones have theirs")
	mark := filepath.Join("lake", stateDir, "log", fmt.Sprintf("%020d.published", 2))
	if err := os.Rename(mark, mark+".away"); err != nil {
		t.Fatal(err)
	}
	other := newWarehouse(t)
	if err := other.load(t, script); err != nil {
		t.Fatal(err)
	}
	other.holds(t, 1, contractFiles(log, 1))
	if err := os.Rename(mark+".away", mark); err != nil {
		t.Fatal(err)
	}
	if err := other.load(t, script); err != nil {
		t.Fatal(err)
	}
	other.holds(t, last, contractFiles(log, last))

	t.Log("it stops before a commit that is not published, and skips it once it was taken back")
	b.Night()
	if _, err := b.tryNight(t, filepath.Join(dir, "lake"), refusingToPublish("contracts/")); err == nil {
		t.Fatal("the run ended well, though it could not publish")
	}
	if err := w.load(t, script); err != nil {
		t.Fatal(err)
	}
	w.holds(t, last, contractFiles(log, last))
	pending := glob(t, "lake", stateDir+"/pending/.contracts*.pending")
	if len(pending) != 1 {
		t.Fatalf("pending uploads: %s", pending)
	}
	if err := os.Remove(pending[0]); err != nil {
		t.Fatal(err)
	}
	b.night(t, filepath.Join(dir, "lake"), seldom)
	lost := last + 1
	log = readLog(t, "lake")
	last = log[len(log)-1].Seq
	if !slices.ContainsFunc(log, func(c commit) bool { return c.Voids == lost }) || len(contractFiles(log[lost:], last)) == 0 {
		t.Fatalf("of %d commits, none took %d back and brought its rows again", len(log), lost)
	}
	for _, each := range []warehouse{w, newWarehouse(t)} {
		if err := each.load(t, script); err != nil {
			t.Fatal(err)
		}
		each.holds(t, last, contractFiles(log, last, lost))
	}
	t.Log("a void that came too late takes nothing back: the mark says that the commit is published")
	record := filepath.Join("lake", stateDir, "log", fmt.Sprintf("%020d", last+1))
	for name, body := range map[string]string{
		".json":      fmt.Sprintf(`{"version":1,"schema":2,"seq":%d,"job":"nightly","kind":"void","voids":1,"files":[],"tables":{}}`, last+1),
		".published": `{"run_id":"late"}`,
	} {
		if err := os.WriteFile(record+name, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	late := newWarehouse(t)
	if err := late.load(t, script); err != nil {
		t.Fatal(err)
	}
	late.holds(t, last+1, contractFiles(log, last, lost))
	refusesAnotherSchema(t, script)
}

// refusesAnotherSchema makes a commit one of before there were schemas: a loader
// that was not made for its keys must keep nothing.
func refusesAnotherSchema(t *testing.T, script string) {
	t.Helper()
	record := filepath.Join("lake", stateDir, "log", fmt.Sprintf("%020d.json", 2))
	body, err := os.ReadFile(record)
	if err == nil {
		err = os.WriteFile(record, bytes.Replace(body, []byte(`"schema":2,`), nil, 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := newWarehouse(t)
	if err := w.load(t, script); err == nil || !strings.Contains(err.Error(), "commit 2 is of another schema") {
		t.Errorf("a commit of another schema is loaded: %v", err)
	}
	w.holds(t, 0, nil)
}

// refusingToPublish is a store that puts no upload to some keys together.
func refusingToPublish(prefix string) settings {
	s := seldom
	s.store = func(inner bucket.Store) bucket.Store { return &unpublished{inner, prefix} }
	return s
}

type unpublished struct {
	bucket.Store
	prefix string
}

func (u *unpublished) CompleteUpload(ctx context.Context, up bucket.Upload, parts []bucket.Part) error {
	if strings.HasPrefix(up.Key, u.prefix) {
		return bucket.ErrDenied
	}
	return u.Store.CompleteUpload(ctx, up, parts)
}
