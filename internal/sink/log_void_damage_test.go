package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// damageUpload leaves a committed record behind of which the upload that is completed
// first is there, and is not what was acknowledged.
func (w *world) damageUpload() {
	w.t.Helper()
	w.die(func(what, _ string) bool { return what == "complete" })
	up := w.lastRecord().Files[0].Upload
	if m, ok := w.store.(*memStore); ok {
		m.mu.Lock()
		defer m.mu.Unlock()
		for n, part := range m.uploads[up.ID].parts {
			m.uploads[up.ID].parts[n] = part[:len(part)-1]
		}
		return
	}
	dir, isFolder := strings.CutPrefix(w.store.String(), "file://")
	if !isFolder { // what a server keeps nobody can change: it may lose it
		w.lose(w.lastRecord(), w.lastRecord().Files[0].Table)
		return
	}
	found, err := filepath.Glob(filepath.Join(dir, PendingPrefix(w.job), ".*"+up.ID+"*"))
	if err != nil || len(found) != 1 {
		w.t.Fatalf("pending: %v, %v", found, err)
	}
	body, err := os.ReadFile(found[0])
	if err != nil {
		w.t.Fatal(err)
	}
	body[len(body)/2] ^= 1
	if err := os.WriteFile(found[0], body, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// TestACommitWhoseUploadIsDamagedIsTakenBackAndPulledAgain does so in memory, where a
// byte is missing, and in a folder, where one is another.
func TestACommitWhoseUploadIsDamagedIsTakenBackAndPulledAgain(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]bucket.Store{"memory": newMemStore(), "folder": folderOf(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, store, cursors.Shard{Count: 1}, 4)
			w.mustRun()
			w.night()
			w.damageUpload()
			w.mustRun()
			if w.voids() != 1 {
				t.Errorf("%d voids", w.voids())
			}
			w.checkClean()
			w.checkCursors()
		})
	}
}

// refusing answers the completion of some uploads with an error.
func refusing(store bucket.Store, prefix string, err error) *hooked {
	return &hooked{Store: store, complete: func(up bucket.Upload, next func() error) error {
		if strings.HasPrefix(up.Key, prefix) {
			return fmt.Errorf("complete upload: %w", err)
		}
		return next()
	}}
}

// TestNothingIsTakenBackByAnErrorThatMayPass: all but what says for certain that an
// upload is lost.
func TestNothingIsTakenBackByAnErrorThatMayPass(t *testing.T) {
	t.Parallel()
	for _, refusal := range []error{
		errors.New("HTTP 503"), bucket.ErrDenied, bucket.ErrConflict, bucket.ErrUnsupported, bucket.ErrNotExist, bucket.ErrPrecondition,
		context.DeadlineExceeded,
	} {
		w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 3)
		w.die(func(what, _ string) bool { return what == "complete" })
		if _, err := w.open(t.Context(), refusing(w.police, "contracts/", refusal)); !errors.Is(err, refusal) {
			t.Errorf("%v: open says %v", refusal, err)
		}
		if w.voids() != 0 {
			t.Errorf("%v: the record was taken back", refusal)
		}
		w.kill()
		w.mustRun()
		w.checkClean()
	}
}

// TestALostUploadOfAnotherShardIsAWarning: the run goes on, the owner takes it back.
func TestALostUploadOfAnotherShardIsAWarning(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*world){"gone": (*world).loseUpload, "damaged": (*world).damageUpload} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, newMemStore(), cursors.Shard{Count: 1}, 24)
			parts := w.shards(2)
			parts[0].half = false
			lose(parts[0])
			var log bytes.Buffer
			o := parts[1].options(parts[1].police)
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			wr, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if err := parts[1].work(t.Context(), wr); err != nil {
				t.Fatal(err)
			}
			parts[1].mustClose(wr)
			if w.voids() != 0 || !strings.Contains(log.String(), "level=WARN") || strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("%d voids, and the log says: %s", w.voids(), log.String())
			}
			parts[0].mustRun()
			parts[1].mustRun()
			if w.voids() != 1 {
				t.Errorf("%d voids", w.voids())
			}
			w.checkClean()
		})
	}
}
