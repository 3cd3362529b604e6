package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
)

// The command that is shipped cannot be told to die: what would do it is not in
// there.
func TestTheShippedCommandHasNoCrashPoints(t *testing.T) {
	t.Parallel()
	b := newBank(t, sandbox.Options{Users: 2, Today: daysBefore(1)})
	trace := filepath.Join(t.TempDir(), "trace")
	b.run(t, 0, folderURL(t.TempDir()), settings{}, "SYNCER_CRASH=before:1", "SYNCER_CRASH_TRACE="+trace)
	if _, err := os.Stat(trace); err == nil {
		t.Error("the shipped command wrote a trace")
	}
	traces := []string{"SYNCER_CRASH", "internal/crashpoints"}
	for name, build := range map[string]func() (string, error){"shipped": binary, "mortal": mortal} {
		path, err := build()
		if err != nil {
			t.Fatal(err)
		}
		program, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, trace := range traces {
			if found := bytes.Contains(program, []byte(trace)); found != (name == "mortal") {
				t.Errorf("the %s command contains %q: %v", name, trace, found)
			}
		}
	}
}
