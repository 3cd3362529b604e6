package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
)

// write makes a file below dir, and the folders above it.
func write(t *testing.T, dir, name, body string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && path != dir {
			name, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

// demoLake is a folder in which a demo has committed these files.
func demoLake(t *testing.T, committed ...string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, demoMarker, demoMarkerText)
	record := sink.Record{Version: 1, Seq: 1, Job: demoJob, RunID: "01", Nonce: "n", Kind: sink.KindRun}
	for _, path := range committed {
		record.Files = append(record.Files, sink.File{Table: "users", Path: path, Upload: sink.FileUpload{Upload: bucket.Upload{Key: path, ID: "1"}}})
	}
	body, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "_syncer/demo/log/00000000000000000001.json", string(body))
	write(t, dir, "_syncer/demo/log/00000000000000000001.published", "{}")
	return dir
}

func TestTheDemoDeletesWhatItsCommitsNameAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := demoLake(t, "users/ingest_date=2026-11-19/01-0-1.parquet", "users/ingest_date=2026-11-20/01-0-2.parquet")
	write(t, dir, "users/ingest_date=2026-11-19/01-0-1.parquet", "the demo's")
	write(t, dir, "users/ingest_date=2026-11-21/02-0-1.parquet", "another job's")
	write(t, dir, "_syncer/nightly/log/00000000000000000001.json", "another job's")
	write(t, dir, "_syncer/demo/pending/abc", "the demo's")
	write(t, dir, "queries.sql", "mine")
	if err := prepareDemoLake(t.Context(), dir, false, "config"); err != nil {
		t.Fatal(err)
	}
	want := "_syncer _syncer/nightly _syncer/nightly/log _syncer/nightly/log/00000000000000000001.json queries.sql " + demoMarker +
		" " + demoConfigFile + " users users/ingest_date=2026-11-21 users/ingest_date=2026-11-21/02-0-1.parquet"
	if got := files(t, dir); got != want {
		t.Errorf("left\n%s\nwant\n%s", got, want)
	}
}

// A log that was tampered with, or a link, leads nowhere outside the folder.
func TestTheDemoDeletesNothingOutsideItsFolder(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	write(t, outside, "precious.parquet", "not the demo's")
	for _, path := range []string{"../" + filepath.Base(outside) + "/precious.parquet", "users/precious.parquet"} {
		dir := demoLake(t, path)
		if err := os.Symlink(outside, filepath.Join(dir, "users")); err != nil {
			t.Fatal(err)
		}
		if err := prepareDemoLake(t.Context(), dir, true, "config"); err == nil {
			t.Errorf("%s: no error", path)
		}
		if files(t, outside) != "precious.parquet" {
			t.Fatalf("%s was deleted", path)
		}
	}
}
