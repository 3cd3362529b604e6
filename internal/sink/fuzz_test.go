package sink

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"finoos-syncer/internal/id"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/parquet/parquettest"
)

// Each of these reads one kind of object. Whatever stands there, it is refused or names
// nothing but keys of its own run, and takes no more memory than some times its size.

// frugal fails the test where reading takes too much memory.
func frugal(t *testing.T, body []byte, read func()) {
	t.Helper()
	if got := parquettest.Allocated(read); got > uint64(1<<20+64*len(body)) {
		t.Errorf("%d bytes take %d", len(body), got)
	}
}

// own says whether a run of job j could have written to a key.
func own(t *testing.T, key, runID string, shard int) {
	t.Helper()
	if bucket.ValidKey(key) != nil || !strings.Contains(key, "/"+runID+"-") || strings.Count(key, "/") > 3 {
		t.Errorf("shard %d of run %q is taken to have written %q", shard, runID, key)
	}
}

func addJSON(f *testing.F, seeds ...any) {
	f.Helper()
	for _, v := range seeds {
		body, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{}`))
	f.Add([]byte(`[`))
	f.Add([]byte(`null`))
}

// realRecord is one that a run could have written as its first.
func realRecord() *Record {
	key := "contracts/ingest_date=2026-11-22/run001-0-1.parquet"
	r := testRecord("run001")
	r.Seq, r.Buckets, r.RunGroup = 2, cursors.Shard{Count: 1}.Buckets(), "night"
	r.Cursors = CursorObject{Path: jobKeys("j").cursors("run001", 0, 2), Rows: 7, Bytes: 4096}
	r.Tables = map[string]TableChanges{"contracts": {Upserts: 1, Sums: map[string]string{"amount": "-12.3400"}}}
	r.Files = []File{{Table: "contracts", Path: key, Rows: 1, Bytes: 5, SHA256: strings.Repeat("a", 64), Upload: FileUpload{
		Upload: bucket.Upload{Key: key, ID: "id", Token: "token"}, Parts: []bucket.Part{{Number: 1, ETag: "etag", Size: 5, CRC32: "AAAAAA=="}},
	}}}
	return r
}

func FuzzRecord(f *testing.F) {
	void, fence := testRecord("run002"), testRecord("run002")
	void.Seq, void.Kind, void.Voids = 2, KindVoid, 1
	fence.Seq, fence.Kind, fence.Fences = 2, KindFence, "run001"
	addJSON(f, realRecord(), void, fence)
	f.Add([]byte(`{"version":1,"seq":2,"job":"j","run_id":"run001","kind":"run","cursors":{"path":"p","rows":1}}`))
	f.Add([]byte(`{"version":1,"seq":2,"run_id":"a\u0000b"}`))
	f.Add([]byte(`{"version":1,"seq":2,"fences":"a\nb"}`))
	l := &ledger{keys: "j"}
	f.Fuzz(func(t *testing.T, body []byte) {
		var r *Record
		var err error
		frugal(t, body, func() { r, err = readRecord(l.keys, body, 2) })
		if err != nil {
			return
		}
		for _, name := range []string{r.RunID, r.RunGroup, r.Backfill, r.Fences} {
			if name != "" && !id.Valid(name) {
				t.Errorf("%q is taken for a name", name)
			}
		}
		for _, file := range r.Files {
			own(t, file.Path, r.RunID, r.Shard)
			if file.Upload.Key != file.Path || !strings.HasPrefix(file.Path, file.Table+"/ingest_date=") {
				t.Errorf("the upload to %q becomes %q of table %q", file.Upload.Key, file.Path, file.Table)
			}
		}
		if path := r.Cursors.Path; path != "" {
			own(t, strings.TrimPrefix(path, "_syncer/j/"), r.RunID, r.Shard)
			if !strings.HasPrefix(path, "_syncer/j/cursors/") {
				t.Errorf("cursors lie at %q", path)
			}
		}
		if r.Voids >= 2 || r.BaseSeq >= 2 || len(r.Buckets) > cursors.Buckets || !slices.IsSorted(r.Buckets) {
			t.Errorf("it takes back %d, builds upon %d, speaks for %v", r.Voids, r.BaseSeq, r.Buckets)
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readRecord(l.keys, again, 2); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}

func FuzzStaging(f *testing.F) {
	keys := jobKeys("j")
	addJSON(f, stagingRecord{
		RunID: "run001", Kind: KindRun, Shards: 1, BaseSeq: 7,
		Uploads: []string{"contracts/ingest_date=2026-11-22/run001-0-1.parquet"}, Cursors: []string{keys.cursors("run001", 0, 2)},
	})
	f.Fuzz(func(t *testing.T, body []byte) {
		var st stagingRecord
		var err error
		frugal(t, body, func() { st, err = parseStaging(keys, keys.staging("run001", 0), body) })
		if err != nil {
			return
		}
		for _, key := range st.Uploads {
			own(t, key, "run001", 0)
		}
		for _, key := range st.Cursors {
			own(t, strings.TrimPrefix(key, "_syncer/j/"), "run001", 0)
		}
		if st.RunID != "run001" || st.Shard != 0 || st.BaseSeq > maxSeq {
			t.Errorf("got %+v", st)
		}
	})
}

func FuzzLease(f *testing.F) {
	keys := jobKeys("j")
	addJSON(f, leaseBody{RunID: "run001", Nonce: "n", Holder: "host 1", Kind: KindRun, Shard: 3, Shards: 4, BaseSeq: 9}, leaseBody{RunID: "b", Backfill: "history"})
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, key := range []string{keys.lease(3, ""), keys.lease(0, "history")} {
			var l leaseBody
			var err error
			frugal(t, body, func() { l, err = parseLease(keys, key, body) })
			if err == nil && (keys.lease(l.Shard, l.Backfill) != key || !validName.MatchString(l.RunID) || strings.ContainsAny(l.Holder, "\x00\x1b\n")) {
				t.Errorf("at %s stands %+v", key, l)
			}
		}
	})
}

func FuzzMark(f *testing.F) {
	addJSON(f, publishedMark{RunID: "run001"}, publishedMark{RunID: "run002", VoidedBy: 9})
	f.Fuzz(func(t *testing.T, body []byte) {
		var m *publishedMark
		var err error
		frugal(t, body, func() { m, err = parseMark(body, 7) })
		if err == nil && m.VoidedBy != 0 && m.VoidedBy <= 7 {
			t.Errorf("record 7 is taken back by %d", m.VoidedBy)
		}
	})
}

func FuzzHandover(f *testing.F) {
	addJSON(f, handed{RunID: "run001", Chunks: 3, About: json.RawMessage(`{"listed":3}`)})
	f.Fuzz(func(t *testing.T, body []byte) {
		var h handed
		var err error
		frugal(t, body, func() { h, err = parseHanded("h.json", body) })
		if err == nil && (h.Chunks < 0 || h.Chunks > maxChunks || bucket.ValidKey(jobKeys("j").handoverChunk("g", h.RunID, cursors.Shard{Count: 2}, h.Chunks)) != nil) {
			t.Errorf("got %+v", h)
		}
	})
}

func FuzzHandedRecords(f *testing.F) {
	f.Add([]byte("\x03abc\x00\x01d"))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, chunk []byte) {
		n := 0
		for record, err := range handedRecords(chunk) {
			if n += len(record); err == nil && len(record) == 0 || n > len(chunk) {
				t.Errorf("%d bytes of %d, %v", n, len(chunk), err)
			}
		}
	})
}

func FuzzBackfill(f *testing.F) {
	keys := jobKeys("j")
	addJSON(f, BackfillDefinition{Version: 1, Name: "history", Since: "2025-01-01", Until: "2025-12-31", Streams: []string{"transactions"}, BaseSeq: 3},
		backfillLedger{Version: 1, Through: 9, Users: 2, Commits: []ledgerEntry{
			{Seq: 4, Kind: KindBackfill, Cursors: CursorObject{Path: keys.cursors("run-1", 0, 2), Rows: 1}}, {Seq: 5, Kind: KindVoid, Voids: 4},
		}},
		BackfillDone{RunID: "run001"})
	f.Fuzz(func(t *testing.T, body []byte) {
		var d BackfillDefinition
		frugal(t, body, func() {
			d = BackfillDefinition{}
			if decode(body, &d) != nil || d.ours("history") != nil {
				d = BackfillDefinition{Name: "history"}
			}
		})
		if d.Name != "history" || d.BaseSeq > maxSeq {
			t.Errorf("got %+v", d)
		}
		var l backfillLedger
		frugal(t, body, func() {
			l = backfillLedger{}
			if decode(body, &l) != nil || l.ours(keys) != nil {
				l = backfillLedger{}
			}
		})
		for _, e := range l.Commits {
			if path := e.Cursors.Path; path != "" && (bucket.ValidKey(path) != nil || !strings.HasPrefix(path, keys.cursorObjects())) || e.Seq > l.Through || e.Voids >= e.Seq {
				t.Errorf("got %+v", e)
			}
		}
	})
}

// FuzzKeys: what a key is taken to be can be made of it again.
func FuzzKeys(f *testing.F) {
	keys := jobKeys("j")
	for _, key := range []string{
		keys.record(7), keys.published(7), keys.checkpoint(3, 9), keys.cursors("r-1-2", 0, 4), keys.handover("g", cursors.Shard{Index: 1, Count: 2}),
		"contracts/ingest_date=2026-11-22/r-0-1.parquet", keys.selfTest("r").Conditions, keys.attempt("r", 0, 1), "_syncer/../x", "_syncer//log/", keys.report("r"),
	} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if MostBytes(key) <= 0 || MostBytes(key) > bucket.MaxGet {
			t.Errorf("%q may have %d bytes", key, MostBytes(key))
		}
		if seq, published, ok := keys.parseLog(key); ok && key != keys.record(seq) && (!published || key != keys.published(seq)) {
			t.Errorf("%q is taken for number %d", key, seq)
		}
		if b, seq, ok := keys.parseCheckpoint(key); ok && key != keys.checkpoint(b, seq) {
			t.Errorf("%q is taken for a checkpoint", key)
		}
		valid := bucket.ValidKey(key) == nil
		tab, _, _ := strings.Cut(key, "/")
		for what, is := range map[string]bool{"cursors": keys.isAnyCursors(key), "handover": keys.isHandover(key), "file": isDataKey(key, tab, "r", 0)} {
			if is && !valid {
				t.Errorf("%q is taken for a %s", key, what)
			}
		}
	})
}
