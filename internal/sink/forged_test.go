package sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/process"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
)

// forgery is an object that somebody wrote who can write no other.
type forgery struct {
	object, tries string
	// forge writes it and returns its key.
	forge func(l *forgedLake) string
	// says is part of what reading it is refused with, as well as the key; empty where
	// nothing is refused. Where a run goes on nevertheless, harmless says why that may be.
	says, harmless string
	// found says that verify has a finding of the key, too.
	found bool
}

// forgedLake is a lake of three nights and two jobs, beside which things lie that are
// nobody's business.
type forgedLake struct {
	*world
	m    *memStore
	keys jobKeys
	last uint64
	// handsOver says that the next run reads what was handed over to it.
	handsOver bool
}

const secret = "secrets/key.parquet"

func newForgedLake(t *testing.T, sound *world) *forgedLake {
	t.Helper()
	store, ok := sound.store.(*memStore)
	if !ok {
		t.Fatal("the lake is not in memory")
	}
	store = store.clone()
	l := &forgedLake{world: sound.fork(t, store), m: store, keys: jobKeys(sound.job)}
	l.police.offDuty = true
	l.every = 1000 // nothing is swept but what is left over
	l.m.set(secret, []byte("secret"), "")
	l.m.set("_syncer/leftover.txt", []byte("secret"), "")
	for r, err := range ReadLog(t.Context(), store, l.job, 0) {
		if err != nil {
			t.Fatal(err)
		}
		l.last = r.Seq
	}
	return l
}

func (l *forgedLake) put(key string, v any) string {
	l.t.Helper()
	body, ok := v.([]byte)
	if !ok {
		var err error
		if body, err = json.Marshal(v); err != nil {
			l.t.Fatal(err)
		}
	}
	l.m.set(key, body, "")
	return key
}

// record makes one that a run could have written after the last.
func (l *forgedLake) record() *Record {
	key := dataKey("contracts", l.now, "evil", 0, 1)
	r := testRecord("evil")
	r.Job, r.Seq, r.BaseSeq, r.Source = l.job, l.last+1, l.last, Source{BaseURL: "https://finoos.test", Tenant: "bank"}
	r.Buckets = cursors.Shard{Count: 1}.Buckets()
	r.Files = []File{{Table: "contracts", Path: key, Rows: 1, Bytes: 1, SHA256: strings.Repeat("0", 64), Upload: FileUpload{
		Upload: bucket.Upload{Key: key, ID: "id", Token: "token"}, Parts: []bucket.Part{{Number: 1, ETag: "etag", Size: 1}},
	}}}
	return r
}

// forgedRecord writes one after something was changed.
func forgedRecord(change func(l *forgedLake, r *Record)) func(*forgedLake) string {
	return func(l *forgedLake) string {
		r := l.record()
		change(l, r)
		return l.put(l.keys.record(l.last+1), r)
	}
}

// forgedFile writes a record that names another file.
func forgedFile(path func(l *forgedLake) string) func(*forgedLake) string {
	return forgedRecord(func(l *forgedLake, r *Record) {
		r.Files[0].Path = path(l)
		r.Files[0].Upload.Key = r.Files[0].Path
	})
}

func always(path string) func(*forgedLake) string { return func(*forgedLake) string { return path } }

// ofOther is the first object of the other job below a prefix.
func (l *forgedLake) ofOther(prefix func(jobKeys) string) string {
	return l.list(prefix(jobKeys("other")))[0]
}

func othersCursors(l *forgedLake) string { return l.ofOther(jobKeys.cursorObjects) }

func ownCursors(l *forgedLake) string { return l.lastCursors() }

func ownFile(l *forgedLake) string {
	f, _ := l.file("contracts", 0)
	return f.Path
}

func forgedStaging(change func(l *forgedLake, st *stagingRecord)) func(*forgedLake) string {
	return func(l *forgedLake) string {
		st := &stagingRecord{RunID: "evil", Kind: KindRun, Shards: 1, BaseSeq: l.last, Uploads: []string{}, Cursors: []string{}}
		change(l, st)
		return l.put(l.keys.staging("evil", 0), st)
	}
}

func forgedLease(key func(jobKeys) string, change func(b *leaseBody)) func(*forgedLake) string {
	return func(l *forgedLake) string {
		b := &leaseBody{RunID: "evil", Nonce: "n", Holder: "evil", Kind: KindRun, Shard: 9, Shards: 128}
		change(b)
		return l.put(key(l.keys), b)
	}
}

func leaseOf(shard int) func(jobKeys) string {
	return func(k jobKeys) string { return k.lease(shard, "") }
}

// alone is what becomes of who is told nothing that he can believe.
const alone = "refused, and the shard reads the list of users itself"

const noKey = "which its run cannot have written"

// forgeries are also the table of docs/crash-proof.md.
var forgeries = []forgery{
	{object: "record", tries: "a file beside the lake", forge: forgedFile(always(secret)), says: noKey, found: true},
	{object: "record", tries: "`..` in a file's path", forge: forgedFile(always("contracts/ingest_date=2026-11-22/../../" + secret)), says: noKey, found: true},
	{object: "record", tries: "an absolute path", forge: forgedFile(always("/etc/passwd")), says: noKey, found: true},
	{object: "record", tries: "empty segments", forge: forgedFile(always("contracts//ingest_date=2026-11-22/evil-0-1.parquet")), says: noKey, found: true},
	{object: "record", tries: "backslashes", forge: forgedFile(always(`contracts\ingest_date=2026-11-22\evil-0-1.parquet`)), says: noKey, found: true},
	{object: "record", tries: "percent-encoded dots", forge: forgedFile(always("contracts/%2e%2e/" + secret)), says: noKey, found: true},
	{object: "record", tries: "upper case", forge: forgedFile(always("contracts/ingest_date=2026-11-22/EVIL-0-1.parquet")), says: noKey, found: true},
	{object: "record", tries: "control characters", forge: forgedFile(always("contracts/ingest_date=2026-11-22/evil-0-1\x1b[2J.parquet")), says: noKey, found: true},
	{object: "record", tries: "a path of 100,000 bytes", forge: forgedFile(always(strings.Repeat("x", 100_000))), says: noKey, found: true},
	{object: "record", tries: "a day that is none", forge: forgedFile(always("contracts/ingest_date=2026-02-30/evil-0-1.parquet")), says: noKey, found: true},
	{object: "record", tries: "a number with a zero before it", forge: forgedFile(always("contracts/ingest_date=2026-11-22/evil-0-01.parquet")), says: noKey, found: true},
	{object: "record", tries: "another run's file", forge: forgedFile(ownFile), says: noKey, found: true},
	{object: "record", tries: "another shard's file", forge: forgedFile(always("contracts/ingest_date=2026-11-22/evil-1-1.parquet")), says: noKey, found: true},
	{object: "record", tries: "a record as a file", forge: forgedFile(func(l *forgedLake) string { return l.keys.record(1) }), says: noKey, found: true},
	{object: "record", tries: "a table that there is not", forge: forgedRecord(func(_ *forgedLake, r *Record) { r.Files[0].Table = "secrets" }), says: "which this program does not know", found: true},
	{object: "record", tries: "an upload to another key", forge: forgedRecord(func(_ *forgedLake, r *Record) { r.Files[0].Upload.Key = secret }), says: "is to " + secret, found: true},
	{object: "record", tries: "a file twice", forge: forgedRecord(func(_ *forgedLake, r *Record) { r.Files = append(r.Files, r.Files[0]) }), says: "twice", found: true},
	{object: "record", tries: "parts without end", forge: forgedRecord(func(_ *forgedLake, r *Record) {
		r.Files[0].Upload.Parts = slices.Repeat(r.Files[0].Upload.Parts, 20_000)
	}), says: "20000 parts", found: true},
	{object: "record", tries: "another job's cursors", forge: forgedRecord(func(l *forgedLake, r *Record) { r.Cursors = CursorObject{Path: othersCursors(l), Rows: 1} }), says: noKey, found: true},
	{object: "record", tries: "another run's cursors", forge: forgedRecord(func(l *forgedLake, r *Record) { r.Cursors = CursorObject{Path: ownCursors(l), Rows: 1} }), says: noKey, found: true},
	{object: "record", tries: "a checkpoint as cursors", forge: forgedRecord(func(l *forgedLake, r *Record) {
		r.Cursors = CursorObject{Path: l.list(l.keys.checkpoints())[0], Rows: 1}
	}), says: noKey, found: true},
	{object: "record", tries: "the name of another job", forge: forgedRecord(func(_ *forgedLake, r *Record) { r.Job = "other" }), says: `of job "other"`, found: true},
	{object: "record", tries: "a run that is a path", forge: forgedRecord(func(l *forgedLake, r *Record) {
		r.RunID = "../../evil"
		r.Files[0].Path = dataKey("contracts", l.now, r.RunID, 0, 1)
		r.Files[0].Upload.Key = r.Files[0].Path
	}), says: noKey, found: true},
	{object: "record", tries: "to take back what is to come", forge: forgedRecord(func(l *forgedLake, r *Record) {
		r.Kind, r.Voids, r.Files = KindVoid, l.last+2, nil
	}), says: "takes back record", found: true},
	{object: "record", tries: "to take something back, and files", forge: forgedRecord(func(_ *forgedLake, r *Record) { r.Kind, r.Voids = KindVoid, 1 }), says: "names files or cursors", found: true},
	{object: "record", tries: "a kind that there is not", forge: forgedRecord(func(_ *forgedLake, r *Record) { r.Kind = "rewrite" }), says: "of kind rewrite", found: true},
	{object: "record", tries: "to build upon what is to come", forge: forgedRecord(func(_ *forgedLake, r *Record) { r.BaseSeq = math.MaxUint64 }), says: "builds upon record 18446744073709551615", found: true},
	{object: "record", tries: "a shard of 1,000,000,000", forge: forgedRecord(func(_ *forgedLake, r *Record) { r.Shard, r.Shards = 1, 1e9 }), says: "shard 1 of 1000000000", found: true},
	{object: "record", tries: "buckets that there are not", forge: forgedRecord(func(_ *forgedLake, r *Record) { r.Buckets = []int{-1, 256} }), says: "buckets of users", found: true},
	{object: "record", tries: "a bucket twice", forge: forgedRecord(func(_ *forgedLake, r *Record) { r.Buckets = []int{1, 1} }), says: "buckets of users", found: true},
	{object: "record", tries: "another shard's buckets", forge: forgedRecord(func(_ *forgedLake, r *Record) { r.Shards, r.Buckets = 2, []int{1} }), says: "bucket 1, which is not of shard 0 of 2", found: true},
	{object: "record", tries: "fewer rows than none", forge: forgedRecord(func(_ *forgedLake, r *Record) { r.Files[0].Rows = -1 }), says: "-1 rows", found: true},
	{object: "record", tries: "a sum of a million digits", forge: forgedRecord(func(_ *forgedLake, r *Record) {
		r.Tables = map[string]TableChanges{"contracts": {Sums: map[string]string{"amount": strings.Repeat("9", 1e6)}}}
	}), says: "its sum of column amount", found: true},
	{object: "record", tries: "9 MiB", forge: func(l *forgedLake) string {
		return l.put(l.keys.record(l.last+1), slices.Repeat([]byte{' '}, 9<<20))
	}, says: "more than 8388608 bytes", found: true},
	{object: "record", tries: "a million empty files", forge: func(l *forgedLake) string {
		return l.put(l.keys.record(l.last+1), []byte(`{"version":1,"files":[`+strings.Repeat(`{},`, 1e6)+`{}]}`))
	}, says: "objects", found: true},
	{object: "record", tries: "100,000 brackets", forge: func(l *forgedLake) string {
		return l.put(l.keys.record(l.last+1), []byte(strings.Repeat(`[`, 1e5)))
	}, says: "nested too deeply", found: true},
	{object: "record", tries: "a number of a million digits", forge: func(l *forgedLake) string {
		return l.put(l.keys.record(l.last+1), []byte(`{"version":`+strings.Repeat(`9`, 1e6)+`}`))
	}, says: "cannot unmarshal", found: true},
	{object: "record", tries: "a number far behind the end of the log", forge: func(l *forgedLake) string {
		r := l.record()
		r.Seq = 1 << 40
		l.put(l.keys.record(r.Seq), r)
		return l.keys.log()
	}, says: "has a gap", found: true},
	{object: "record", tries: "the number 18446744073709551615", forge: func(l *forgedLake) string {
		r := l.record()
		r.Seq = math.MaxUint64
		return l.put(l.keys.record(r.Seq), r)
	}, harmless: "no part of a log", found: true},
	{object: "mark", tries: "to call a record taken back that is not", forge: func(l *forgedLake) string {
		return l.put(l.keys.published(l.last), publishedMark{RunID: "evil", VoidedBy: l.last - 1})
	}, says: "takes it back", found: true},
	{object: "mark", tries: "an object of no kind", forge: func(l *forgedLake) string {
		return l.put(l.keys.published(l.last), []byte(`{"voided_by":-1}`))
	}, says: "cannot unmarshal", found: true},

	{object: "staging record", tries: "another job's cursors", forge: forgedStaging(func(l *forgedLake, st *stagingRecord) { st.Cursors = []string{othersCursors(l)} }), says: "cannot write", found: true},
	{object: "staging record", tries: "another run's cursors", forge: forgedStaging(func(l *forgedLake, st *stagingRecord) { st.Cursors = []string{ownCursors(l)} }), says: "cannot write", found: true},
	{object: "staging record", tries: "a record of the log as cursors", forge: forgedStaging(func(l *forgedLake, st *stagingRecord) { st.Cursors = []string{l.keys.record(1)} }), says: "cannot write", found: true},
	{object: "staging record", tries: "`../../etc` as cursors", forge: forgedStaging(func(l *forgedLake, st *stagingRecord) {
		st.Cursors = []string{l.keys.cursorObjects() + "../../../etc/passwd"}
	}), says: "cannot write", found: true},
	{object: "staging record", tries: "an object beside the lake as cursors", forge: forgedStaging(func(_ *forgedLake, st *stagingRecord) { st.Cursors = []string{secret} }), says: "cannot write", found: true},
	{object: "staging record", tries: "uploads beside the lake", forge: forgedStaging(func(_ *forgedLake, st *stagingRecord) { st.Uploads = []string{secret} }), says: "cannot write", found: true},
	{object: "staging record", tries: "another run's uploads", forge: forgedStaging(func(l *forgedLake, st *stagingRecord) { st.Uploads = []string{ownFile(l)} }), says: "cannot write", found: true},
	{object: "staging record", tries: "to be of another run", forge: forgedStaging(func(_ *forgedLake, st *stagingRecord) { st.RunID = "run001" }), says: "it is of shard 0 of run run001", found: true},
	{object: "staging record", tries: "a run that is a path", forge: forgedStaging(func(_ *forgedLake, st *stagingRecord) { st.RunID = "../evil" }), says: "it names no run", found: true},
	{object: "staging record", tries: "a shard of 1,000,000,000", forge: forgedStaging(func(_ *forgedLake, st *stagingRecord) { st.Shards = 1e9 }), says: "shard 0 of 1000000000", found: true},
	{object: "staging record", tries: "to begin after the last number", forge: forgedStaging(func(_ *forgedLake, st *stagingRecord) { st.BaseSeq = math.MaxUint64 }), says: "builds upon record", found: true},
	{object: "staging record", tries: "to begin after its run's own commits, so that these are swept", forge: func(l *forgedLake) string {
		r := l.behindCheckpoint()
		st := stagingRecord{RunID: r.RunID, Kind: KindRun, Shard: r.Shard, Shards: r.Shards, BaseSeq: l.last, Uploads: []string{}}
		st.Cursors = l.list(l.keys.cursorsOf(r.RunID))
		for _, f := range r.Files {
			st.Uploads = append(st.Uploads, f.Path)
		}
		return l.put(l.keys.staging(r.RunID, r.Shard), st)
	}, harmless: "the log is read from its beginning, and names them", found: true},
	{object: "staging record", tries: "a name that is none", forge: func(l *forgedLake) string {
		return l.put(l.keys.stagings()+"a\nb.json", stagingRecord{RunID: "a\nb"})
	}, says: "it names no run", found: true},

	{object: "lease", tries: "to be another shard's", forge: forgedLease(leaseOf(9), func(b *leaseBody) { b.Shard = 3 }), says: "it is of shard 3", found: true},
	{object: "lease", tries: "a shard of 1,000,000,000", forge: forgedLease(leaseOf(1e8), func(b *leaseBody) { b.Shard, b.Shards = 1e8, 1e9 }), says: "shard 100000000 of 1000000000", found: true},
	{object: "lease", tries: "a holder that clears the screen", forge: forgedLease(leaseOf(9), func(b *leaseBody) { b.Holder = "\x1b[2J" }), says: "its holder is none", found: true},
	{object: "lease", tries: "to read from the last number on", forge: forgedLease(leaseOf(9), func(b *leaseBody) { b.BaseSeq = math.MaxUint64 }), says: "reads from record", found: true},
	{object: "lease", tries: "a backfill that is a path", forge: forgedLease(func(k jobKeys) string { return k.leases() + "backfill-x.json" }, func(b *leaseBody) { b.Backfill, b.Shard = "../x", 0 }), says: "backfill ../x", found: true},
	{object: "lease", tries: "to live for ever, being of the year 2100", forge: func(l *forgedLake) string {
		key := forgedLease(leaseOf(3), func(b *leaseBody) { b.Shard = 3 })(l)
		o := l.m.objects[key]
		o.modified = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
		l.m.objects[key] = o
		return key
	}, harmless: "it is taken over"},
	{object: "lease", tries: "to be held by process 1", forge: forgedLease(leaseOf(9), func(b *leaseBody) {
		b.Process = process.Self()
		b.Process.PID = 1
	}), harmless: "processes are looked at, and never signalled"},

	{object: "attempts", tries: "to be another run's", forge: func(l *forgedLake) string {
		return l.put(l.keys.attempt("evil", 0, 1), []byte(`{"version":1,"run_id":"run001","attempts":[{"user_id":"u","bank_login_id":"b","at":"2026-01-01T00:00:00Z"}]}`))
	}, harmless: "passed over, with a warning", found: true},
	{object: "attempts", tries: "4 MiB", forge: func(l *forgedLake) string {
		return l.put(l.keys.attempt("evil", 0, 1), slices.Repeat([]byte{' '}, 5<<20))
	}, harmless: "passed over, with a warning", found: true},
	{object: "state", tries: "2 MiB", forge: func(l *forgedLake) string {
		return l.put(l.keys.state("place"), slices.Repeat([]byte{' '}, 2<<20))
	}, harmless: "written anew, with a warning", found: true},
	{object: "run report", tries: "a name that is a path", forge: func(l *forgedLake) string {
		return l.put(l.keys.reports()+"a/b.json", []byte("{}"))
	}, harmless: "no run reads it", found: true},
	{object: "checkpoint", tries: "a number in another form", forge: func(l *forgedLake) string {
		return l.put(l.keys.checkpoints()+"+03/7.parquet", []byte("PAR1"))
	}, harmless: "no checkpoint", found: true},
	{object: "self-test", tries: "to have something else swept away", forge: func(l *forgedLake) string {
		return l.put(l.keys.selfTests()+"evil/notes.txt", []byte("notes"))
	}, harmless: "not ours, so it stays", found: true},
	{object: "handover", tries: "the same", forge: func(l *forgedLake) string {
		key := l.put(l.keys.handovers()+"group/a/b.json", []byte("notes"))
		o := l.m.objects[key]
		o.modified = o.modified.Add(-48 * time.Hour)
		l.m.objects[key] = o
		return key
	}, harmless: "not ours, so it stays", found: true},
	{object: "handover", tries: "pieces of another job", forge: forgedHandover(handed{RunID: "../../other/cursors/x", Chunks: 1}), says: "it is of run", harmless: alone, found: true},
	{object: "handover", tries: "1,000,000,000 pieces", forge: forgedHandover(handed{RunID: "evil", Chunks: 1e9}), says: "in 1000000000 pieces", harmless: alone, found: true},
	{object: "handover", tries: "fewer pieces than none", forge: forgedHandover(handed{RunID: "evil", Chunks: -1}), says: "in -1 pieces", harmless: alone, found: true},
	{object: "handover", tries: "a record that is longer than its piece", forge: func(l *forgedLake) string {
		forgedHandover(handed{RunID: "evil", Chunks: 1})(l)
		return l.put(l.keys.handoverChunk("group", "evil", l.shard, 0), []byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	}, says: "ends within a record", harmless: alone},
	{object: "backfill's definition", tries: "to be another's", forge: func(l *forgedLake) string {
		l.backfill = "history"
		return l.put(l.keys.definition("history"), BackfillDefinition{Version: 1, Name: "other"})
	}, says: "of backfill other", found: true},
	{object: "backfill's ledger", tries: "another job's cursors as progress", forge: func(l *forgedLake) string {
		l.backfill = "history"
		l.put(l.keys.definition("history"), BackfillDefinition{Version: 1, Name: "history", BaseSeq: l.last})
		return l.put(l.keys.backfillLedger("history"), backfillLedger{Version: 1, Through: l.last, Commits: []ledgerEntry{
			{Seq: 1, Kind: KindBackfill, Cursors: CursorObject{Path: othersCursors(l)}},
		}})
	}, harmless: "passed over: the log says what it would", found: true},
	{object: "backfill's ledger", tries: "a night's cursors as progress, so that users seem to be done", forge: func(l *forgedLake) string {
		l.beginBackfill()
		l.put(l.keys.definition("history"), BackfillDefinition{Version: 1, Name: "history", BaseSeq: l.last})
		return l.put(l.keys.backfillLedger("history"), backfillLedger{Version: 1, Through: l.last, Commits: []ledgerEntry{
			{Seq: l.last, Kind: KindBackfill, Cursors: CursorObject{Path: ownCursors(l)}},
		}})
	}, harmless: "passed over: the log says what it would", found: true},
}

func forgedHandover(h handed) func(*forgedLake) string {
	return func(l *forgedLake) string {
		l.handsOver = true
		return l.put(l.keys.handover("group", l.shard), h)
	}
}

// goOn is the next run, and what shards hand over to each other.
func (l *forgedLake) goOn(store bucket.Store) error {
	l.night()
	if !l.handsOver {
		return l.run(l.t.Context(), store)
	}
	wr, err := l.open(l.t.Context(), store)
	if err != nil {
		return err
	}
	records, _, err := wr.HandedOver(l.t.Context())
	if err == nil && records != nil {
		err = firstError(records)
	}
	return errors.Join(err, wr.Close(l.t.Context()))
}

func firstError[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestAForgedObjectDoesNothingThatItsWriterCouldNot(t *testing.T) {
	t.Parallel()
	sound := threeNights(t)
	for _, f := range forgeries {
		t.Run(f.object+": "+f.tries, func(t *testing.T) {
			t.Parallel()
			l := newForgedLake(t, sound)
			key := f.forge(l)
			before := maps.Clone(l.m.objects)

			store := &watched{Store: l.m}
			err := l.goOn(store)
			switch {
			case f.says == "" && err != nil:
				t.Errorf("refused: %v", err)
			case f.says == "": // harmless
			case !errors.Is(err, ErrForged) || !strings.Contains(err.Error(), printable(key)) || !strings.Contains(err.Error(), f.says):
				t.Errorf("got %.500v\nwant ErrForged that names %s and says %q", err, key, f.says)
			case len(err.Error()) > 2000 || strings.ContainsAny(err.Error(), "\x1b\x00"):
				t.Errorf("the error repeats what it refuses: %.300q", err)
			}
			if len(store.touched) > 0 {
				t.Errorf("touched: %q", store.touched)
			}
			for key, o := range before {
				now, stands := l.m.objects[key]
				own := strings.HasPrefix(key, l.keys.root()) && !strings.HasPrefix(key, l.keys.log()) && !strings.HasPrefix(key, l.keys.cursorObjects())
				if (!stands || string(now.body) != string(o.body)) && (f.says != "" || !own) && !strings.HasPrefix(key, l.keys.leases()) {
					t.Errorf("%s was changed", key)
				}
			}
			if stays := strings.Contains(f.harmless, "stays"); stays {
				if _, stands := l.m.objects[key]; !stands {
					t.Errorf("%s was swept", key)
				}
			}
		})
		t.Run(f.object+": "+f.tries+", verified", func(t *testing.T) {
			t.Parallel()
			l := newForgedLake(t, sound)
			key := f.forge(l)
			v := l.verify() // it comes to its end
			all := slices.Concat(v.Problems, v.Notes)
			if found := slices.ContainsFunc(all, func(p Finding) bool { return strings.HasPrefix(p.Where, key) }); found != f.found {
				t.Errorf("%s is among the findings: %v, want %v; %.800q", key, found, f.found, lines(all))
			}
			for _, p := range all {
				if len(p.What) > 2000 || strings.ContainsAny(p.What, "\x1b\x00") {
					t.Errorf("a finding repeats what it refuses: %.300q", p.What)
				}
			}
		})
	}
}

// behindCheckpoint is a record that nobody would read again, of which the cursors are
// still kept.
func (l *forgedLake) behindCheckpoint() *Record {
	l.t.Helper()
	checkpoints, _, err := listCheckpoints(l.t.Context(), l.m, l.keys)
	if err != nil {
		l.t.Fatal(err)
	}
	for seq := slices.Max(checkpoints[l.shard.Index]); seq > 0; seq-- {
		r, err := parseRecord(l.m.objects[l.keys.record(seq)].body, seq)
		if err != nil {
			l.t.Fatal(err)
		}
		if _, stands := l.m.objects[r.Cursors.Path]; stands {
			return r
		}
	}
	l.t.Fatal("all cursors were swept")
	return nil
}

// TestTheForgedRecordsAreRefusedForWhatIsForged: the one that they were made of is not.
func TestTheForgedRecordsAreRefusedForWhatIsForged(t *testing.T) {
	t.Parallel()
	l := newForgedLake(t, threeNights(t))
	forgedRecord(func(*forgedLake, *Record) {})(l)
	if _, err := (&ledger{store: l.m, keys: l.keys}).read(t.Context(), l.last+1); err != nil {
		t.Error(err)
	}
	for what, forge := range map[string]func(*forgedLake) string{
		"staging": forgedStaging(func(*forgedLake, *stagingRecord) {}), "lease": forgedLease(leaseOf(9), func(*leaseBody) {}),
	} {
		if key := forge(l); what == "staging" {
			if _, err := readStaging(t.Context(), l.m, l.keys, key); err != nil {
				t.Error(err)
			}
		} else if _, err := (&leases{store: l.m, keys: l.keys}).get(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
}

func TestALedgerThatTheLogContradictsIsNotBelieved(t *testing.T) {
	t.Parallel()
	sound := threeNights(t)
	for _, f := range forgeries {
		if f.object != "backfill's ledger" {
			continue
		}
		l := newForgedLake(t, sound)
		f.forge(l)
		if p, err := readPast(t.Context(), l.m, l.keys, "history", t.TempDir()); err != nil || len(p.ledger.Commits) > 0 {
			t.Errorf("%s: %v, %+v", f.tries, err, p)
		}
	}
}

func TestTheTableOfForgedObjectsIsInTheDocs(t *testing.T) {
	t.Parallel()
	const page = "../../docs/crash-proof.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## Forged objects\n")
	if !ok {
		t.Fatalf("%s has no such section", page)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var rows []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| object") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	var want []string
	for _, f := range forgeries {
		happened := "refused (5), naming the object"
		if f.harmless != "" {
			happened = "harmless: " + f.harmless
		}
		if f.found {
			happened += "; `verify` finds it"
		}
		want = append(want, fmt.Sprintf("| %s | %s | %s |", f.object, f.tries, happened))
	}
	if !slices.Equal(rows, want) {
		t.Errorf("%s has not the table that the tests have:\n%s", page, strings.Join(want, "\n"))
	}
}
