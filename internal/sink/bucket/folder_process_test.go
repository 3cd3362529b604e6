package bucket_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/sink/bucket"
)

// TestProcess is what the tests below start: this binary once more, as another
// process, with the folder and the job as arguments.
func TestProcess(t *testing.T) {
	t.Parallel()
	if flag.NArg() != 2 {
		t.Skip("started by other tests")
	}
	s := openFolder(t, flag.Arg(0))
	switch flag.Arg(1) {
	case "count":
		for range 40 {
			countOne(t, s)
		}
	case "write":
		for n := 0; ; n++ {
			writeOne(t, s, n)
		}
	}
}

func startProcess(t *testing.T, dir, job string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcess$", "--", dir, job)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func countOne(t *testing.T, s bucket.Store) {
	t.Helper()
	for {
		body, info, err := s.Get(t.Context(), "count")
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(body))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Put(t.Context(), "count", []byte(strconv.Itoa(n+1)), bucket.Condition{IfMatch: info.ETag})
		if err == nil {
			return
		}
		if !errors.Is(err, bucket.ErrPrecondition) {
			t.Fatal(err)
		}
	}
}

func TestFolderComparesAndSwapsAmongProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openFolder(t, dir)
	mustPut(t, s, "count", "0")
	var processes []*exec.Cmd
	for range 3 {
		processes = append(processes, startProcess(t, dir, "count"))
	}
	for _, p := range processes {
		if err := p.Wait(); err != nil {
			t.Errorf("process: %v", err)
		}
	}
	wantGet(t, s, "count", []byte("120"))
}

// writeOne writes one object whole and one in parts: what they hold says how
// much of it there must be.
func writeOne(t *testing.T, s bucket.Store, n int) {
	t.Helper()
	mustPut(t, s, fmt.Sprintf("put/%d", n), string(selfDescribing(1_000_000+n)))
	key := fmt.Sprintf("upload/%d", n)
	up, err := s.CreateUpload(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	body := selfDescribing(bucket.MinPart + 1 + n)
	var parts []bucket.Part
	for i, chunk := range [][]byte{body[:bucket.MinPart], body[bucket.MinPart:]} {
		part, err := s.UploadPart(t.Context(), up, i+1, chunk)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part)
	}
	record, err := json.Marshal(pendingRecord{up, parts})
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, fmt.Sprintf("record/%d", n), string(record))
	if err := s.CompleteUpload(t.Context(), up, parts); err != nil {
		t.Fatal(err)
	}
}

type pendingRecord struct {
	Upload bucket.Upload `json:"upload"`
	Parts  []bucket.Part `json:"parts"`
}

func selfDescribing(size int) []byte {
	head := strconv.Itoa(size) + " "
	return append([]byte(head), bytes.Repeat([]byte{'x'}, size-len(head))...)
}

func TestFolderShowsNothingHalfAfterAKill(t *testing.T) {
	t.Parallel()
	rounds := 30
	if testing.Short() {
		rounds = 3
	}
	whole, completed := 0, 0
	for round := range rounds {
		dir := t.TempDir()
		p := startProcess(t, dir, "write")
		// Every other kill comes once an upload is recorded, however slow the
		// machine is.
		awaitFile(t, filepath.Join(dir, []string{"put/0", "record/0"}[round%2]))
		<-time.After(time.Duration(rand.IntN(40)) * time.Millisecond) // at a random instant of a real process
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait() // says that it was killed
		s := openFolder(t, dir)
		completed += recoverRecords(t, s)
		whole += checkWhole(t, s)
		for _, name := range files(t, dir) {
			if strings.HasSuffix(name, ".tmp") {
				t.Errorf("%s was left", name)
			}
		}
	}
	if whole < rounds || completed == 0 {
		t.Errorf("%d objects and %d completed uploads in %d rounds: the kills come too early", whole, completed, rounds)
	}
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("the process wrote nothing")
		}
	}
}

// recoverRecords completes all that was recorded, as recovery does.
func recoverRecords(t *testing.T, s bucket.Store) int {
	t.Helper()
	n := 0
	for info, err := range s.List(t.Context(), "record/", "") {
		if err != nil {
			t.Fatal(err)
		}
		body, _, err := s.Get(t.Context(), info.Key)
		if err != nil {
			t.Fatal(err)
		}
		var r pendingRecord
		if err := json.Unmarshal(body, &r); err != nil {
			t.Fatalf("%s holds %q: %v", info.Key, body, err)
		}
		if err := s.CompleteUpload(t.Context(), r.Upload, r.Parts); err != nil {
			t.Fatal(err)
		}
		if pending, err := s.PendingUploads(t.Context(), r.Upload.Key); err != nil || len(pending) > 0 {
			t.Errorf("still pending: %v, %v", pending, err)
		}
		n++
	}
	return n
}

func checkWhole(t *testing.T, s bucket.Store) int {
	t.Helper()
	n := 0
	for info, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(info.Key, "record/") {
			continue
		}
		r, err := s.Open(t.Context(), info.Key)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		head, _, _ := bytes.Cut(body, []byte(" "))
		if size, err := strconv.Atoi(string(head)); err != nil || size != len(body) {
			t.Errorf("%s holds %d bytes, and says %q", info.Key, len(body), head)
		}
		n++
	}
	return n
}
