package e2e

import (
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
