package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
)

func TestReadersNeverSeeAnUncommittedOrIncompleteFile(t *testing.T) {
	t.Parallel()
	b := newBank(t, sandbox.Options{
		Users: 12, Today: daysBefore(nights), Faults: sandbox.Faults{Latency: 50 * time.Millisecond},
	})
	dir := t.TempDir()
	c := b.start(t, folderURL(dir), slow)
	ended := make(chan int, 1)
	go func() { ended <- c.wait(t) }()

	reader := openLake(t, t.TempDir())
	seen := map[string]int64{} // rows of each file when it was first seen
	looks := 0
	for running := true; running; looks++ {
		select {
		case code := <-ended:
			running = false
			if code != 0 {
				t.Fatalf("exit code %d\n%s", code, &c.stderr)
			}
		default:
		}
		if files := uncommitted(t, dir); len(files) > 0 {
			t.Fatalf("visible, but not committed: %s", files)
		}
		for _, f := range parquetFiles(t, dir) {
			if _, known := seen[f]; !known {
				seen[f] = reader.count(t, "SELECT count(*) FROM read_parquet(?)", filepath.Join(dir, f))
			}
		}
	}
	for f, rows := range seen {
		if now := reader.count(t, "SELECT count(*) FROM read_parquet(?)", filepath.Join(dir, f)); now != rows {
			t.Errorf("%s had %d rows when it became visible, and has %d now", f, rows, now)
		}
	}
	log := readLog(t, dir)
	if len(log) < 2 || looks < 10 {
		t.Errorf("%d commits and %d looks: too few to show anything", len(log), looks)
	}
	openLake(t, dir).checkCommits(t)
}
