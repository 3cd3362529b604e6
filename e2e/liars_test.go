package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/sink/bucket/s3test"
)

// A store that does not keep its word is refused before anything is written:
// the operator reads one line that says what it does wrong and what to do.
func TestTheCommandRefusesAStoreThatLies(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	b := newBank(t, sandbox.Options{Users: 2})
	for _, lie := range s3test.Lies() {
		t.Run(string(lie), func(t *testing.T) {
			t.Parallel()
			liar := server.Liar(t, lie)
			c := b.run(t, 5, liar.URL, settings{}, server.Env...)
			said := c.stderr.String()
			if strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "syncer: open sink: ") || !strings.Contains(said, "; use a store") {
				t.Errorf("it says: %s", said)
			}
			if c.stdout.Len() > 0 {
				t.Errorf("it prints: %s", &c.stdout)
			}
			if objects, uploads := server.Contents(t, liar.URL); len(objects)+len(uploads) > 0 {
				t.Errorf("left behind: objects %q, uploads %q", objects, uploads)
			}
		})
	}
}

// The doctor finds out the same before any run is tried.
func TestTheDoctorFindsAStoreThatLies(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	b := newBank(t, sandbox.Options{Users: 2})
	for lie, says := range map[s3test.Lie]string{
		"":                          "",
		s3test.IgnoresIfNoneMatch:   "fail  sink: write under a condition: the store does not do what a safe commit needs: ",
		s3test.RefusesUploadListing: "fail  sink: pending uploads: create, list, complete, abort: the store does not do what a safe commit needs: ",
	} {
		t.Run(string(lie), func(t *testing.T) {
			t.Parallel()
			url, want := server.NewBucket(t), 0
			if says != "" {
				url, want = server.Liar(t, lie).URL, 5
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "jobs.yaml"), []byte(b.jobsYAML(url, settings{})), 0o600); err != nil {
				t.Fatal(err)
			}
			c := start(t, dir, server.Env, "doctor")
			if got := c.wait(t); got != want || !strings.Contains(c.stdout.String(), says) {
				t.Errorf("exit code %d, want %d and %q\n%s\n%s", got, want, says, &c.stdout, &c.stderr)
			}
		})
	}
}
