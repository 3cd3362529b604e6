package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// world is a small bank and its lake. What a user's stream ought to hold is a
// version, which nights raise; a run writes one row for each version above the
// one that the cursor names. So, whatever happened: every version has exactly
// one visible row, once a run has ended well.
type world struct {
	t      *testing.T
	store  bucket.Store // as it is, below all faults
	police *police
	job    string
	shard  cursors.Shard
	truth  map[string]int // user -> version
	runs   int
	every  int // checkpointEvery
	now    time.Time
	half   bool // commit once in the middle of a run
	bulky  bool // the first user has more than a part holds, and a row group
	// backfill makes runs those of a backfill of this name, which brings the
	// newest version, and knows from its progress whom it has.
	backfill string
}

const worldStream = "contracts"

// newWorld sets up users in all the buckets of the shard's, the same at every
// call.
func newWorld(t *testing.T, store bucket.Store, shard cursors.Shard, users int) *world {
	t.Helper()
	w := &world{
		t: t, store: store, police: newPolice(t, store, "j"), job: "j", shard: shard, truth: map[string]int{},
		every: 1000, now: time.Date(2026, 11, 22, 2, 30, 0, 0, time.UTC), half: true,
	}
	_, inMemory := store.(*memStore)
	w.police.offDuty = !inMemory
	for i := 0; len(w.truth) < users; i++ {
		if id := fmt.Sprintf("user-%d", i); shard.Owns(cursors.BucketOf(id)) {
			w.truth[id] = 1
		}
	}
	return w
}

// fork returns the same world over a copy of its store.
func (w *world) fork(t *testing.T, store bucket.Store) *world {
	t.Helper()
	f := *w
	f.t, f.store, f.police, f.truth = t, store, newPolice(t, store, w.job), maps.Clone(w.truth)
	f.police.created = maps.Clone(w.police.created)
	return &f
}

// night raises the version of every other user.
func (w *world) night() {
	w.now = w.now.AddDate(0, 0, 1)
	for i, id := range slices.Sorted(maps.Keys(w.truth)) {
		if (i+w.runs)%2 == 0 {
			w.truth[id]++
		}
	}
}

func (w *world) options(store bucket.Store) Options {
	w.runs++
	o := Options{
		Store: store, Job: w.job, RunID: fmt.Sprintf("run%03d", w.runs), RunGroup: "group", Shard: w.shard,
		Source: Source{BaseURL: "https://finoos.test", Tenant: "bank"}, Holder: fmt.Sprintf("host of run %d", w.runs),
		Compression: "none", ScratchDir: w.t.TempDir(), Now: func() time.Time { return w.now },
		patience: impatient, checkpointEvery: w.every,
	}
	if w.backfill != "" {
		o.Kind, o.Backfill, o.Shard = KindBackfill, w.backfill, cursors.Shard{}
	}
	return o
}

// open opens a writer over store, which leads to w.police in the end.
func (w *world) open(ctx context.Context, store bucket.Store) (*Writer, error) {
	return Open(ctx, w.options(store))
}

// mustOpen opens a writer over the store as it is.
func (w *world) mustOpen() *Writer {
	w.t.Helper()
	wr, err := w.open(w.t.Context(), w.police)
	if err != nil {
		w.t.Fatalf("open: %v", err)
	}
	return wr
}

// run does a whole run as the job would: what is read from the cursors decides
// what is written.
func (w *world) run(ctx context.Context, store bucket.Store) error {
	wr, err := w.open(ctx, store)
	if err != nil {
		return err
	}
	work := w.work
	if w.backfill != "" {
		work = w.fill
	}
	err = work(ctx, wr)
	if err == nil {
		err = w.remember(ctx, wr)
	}
	return errors.Join(err, wr.WriteReport(ctx, []byte("{}")), wr.Close(ctx))
}

// remember keeps in the job's state how far the log has come, after the last
// commit, as a run does that has something to remember.
func (w *world) remember(ctx context.Context, wr *Writer) error {
	return wr.UpdateState(ctx, "place", func(old []byte) ([]byte, error) {
		var place worldPlace
		if err := json.Unmarshal(old, &place); old != nil && err != nil {
			return nil, err
		}
		if wr.Seq() <= place.Seq {
			return nil, nil
		}
		return json.Marshal(worldPlace{Seq: wr.Seq()})
	})
}

// worldPlace is what a world's job remembers.
type worldPlace struct {
	Seq uint64 `json:"seq"`
}

// checkPlace checks that what is remembered is no more than what was committed;
// after a run that ended well, that it is all of it.
func (w *world) checkPlace(ended bool) {
	w.t.Helper()
	body, err := ReadState(w.t.Context(), w.store, w.job, "place")
	if err != nil {
		w.t.Error(err)
	}
	var place worldPlace
	if err := json.Unmarshal(body, &place); body != nil && err != nil {
		w.t.Error(err)
	}
	if last := uint64(len(logOf(w.t, w.store))); place.Seq > last || ended && place.Seq < last {
		w.t.Errorf("the state says record %d (run ended well: %v), the log ends with %d", place.Seq, ended, last)
	}
}

func (w *world) work(ctx context.Context, wr *Writer) error {
	for i, id := range slices.Sorted(maps.Keys(w.truth)) {
		if err := w.pull(ctx, wr, id); err != nil {
			return err
		}
		if w.half && i == len(w.truth)/2 {
			if _, err := wr.Commit(ctx); err != nil {
				return err
			}
		}
	}
	_, err := wr.Commit(ctx)
	return err
}

// pull writes what is new of one user.
func (w *world) pull(ctx context.Context, wr *Writer, id string) error {
	cs, err := wr.Cursors(ctx, cursors.BucketOf(id), id)
	if err != nil {
		return err
	}
	have, visible := 0, map[string]int{}
	for _, c := range cs[id] {
		if c.Erased {
			visible = w.visible() //nolint:contextcheck // a world looks by itself, whatever becomes of the run
		}
		if _, err := fmt.Sscanf(c.CorrelationID, "version %d", &have); c.CorrelationID != "" && err != nil {
			return fmt.Errorf("cursor of %s: %w", id, err)
		}
	}
	if have == w.truth[id] {
		return nil
	}
	b := w.batch(id, have, w.truth[id])
	// A pull in full stands for all of before; a world has no views to see that by.
	b.Rows = slices.DeleteFunc(b.Rows, func(r table.Row) bool {
		c, is := r.(*table.Contract)
		return is && visible[id+" "+c.ContractID] > 0
	})
	return wr.Add(ctx, b)
}

// batch is the pull that takes a user from one version to another.
func (w *world) batch(id string, from, to int) Batch {
	meta := table.Meta{Op: table.Upsert, Pull: table.Diff, ExtractedAt: w.now}
	b := Batch{Cursors: []cursors.Cursor{{
		UserID: id, Stream: worldStream, CorrelationID: fmt.Sprintf("version %d", to), ExtractedAt: w.now, State: []byte("state"),
	}}}
	attributes := ""
	if w.bulky && id == slices.Min(slices.Collect(maps.Keys(w.truth))) {
		attributes = strings.Repeat("x", table.DefaultRowGroupBytes)
	}
	for v := from + 1; v <= to; v++ {
		b.Rows = append(b.Rows, &table.Contract{
			UserID: id, ContractID: fmt.Sprintf("version %d", v), Amount: table.Decimal{Units: 10_000 * int64(v), Valid: true}, Attributes: attributes, Meta: meta,
		})
	}
	b.Rows = append(b.Rows, &table.Pull{
		UserID: id, Stream: worldStream, Outcome: "pulled", Rows: int64(to - from), Meta: table.Meta{Op: table.Upsert, ExtractedAt: w.now},
	})
	return b
}

// kill lets the leases of dead runs expire.
func (w *world) kill() {
	w.t.Helper()
	for info, err := range w.store.List(w.t.Context(), jobKeys(w.job).leases(), "") {
		if err != nil {
			w.t.Fatal(err)
		}
		if err := w.store.Delete(w.t.Context(), info.Key); err != nil {
			w.t.Fatal(err)
		}
	}
}

// visible counts the rows that anybody can see, by user and version.
func (w *world) visible() map[string]int {
	w.t.Helper()
	rows := map[string]int{}
	for _, key := range w.list("contracts/") {
		for _, row := range readColumns(w.t, w.store, key, "user_id", "contract_id") {
			rows[strings.Join(row, " ")]++
		}
	}
	return rows
}

func (w *world) list(prefix string) (keys []string) {
	w.t.Helper()
	for info, err := range w.store.List(w.t.Context(), prefix, "") {
		if err != nil {
			w.t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

// checkReaders checks what holds at every moment: no row is seen twice, none
// that no record names, and all that are named by published records.
func (w *world) checkReaders() {
	w.t.Helper()
	for row, n := range w.visible() {
		if n > 1 {
			w.t.Errorf("%s is visible %d times", row, n)
		}
	}
	named, voided := map[string]bool{}, w.voided()
	var records []*Record
	for r, err := range ReadLog(w.t.Context(), w.store, w.job, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		records = append(records, r)
	}
	for _, r := range records {
		for _, f := range r.Files {
			// Who takes a record back deletes when the mark is claimed, and may die over it.
			named[f.Path] = true
			if r.Published && !voided[r.Seq] {
				w.checkFile(r, f)
			}
		}
	}
	for _, tab := range table.Tables() {
		for _, key := range w.list(tab.Name + "/") {
			if !named[key] {
				w.t.Errorf("%s is visible, but no record names it", key)
			}
		}
	}
}

// voided is which records were taken back, as their marks have it.
func (w *world) voided() map[uint64]bool {
	w.t.Helper()
	voided := map[uint64]bool{}
	l := &ledger{store: w.store, keys: jobKeys(w.job)}
	for r, err := range ReadLog(w.t.Context(), w.store, w.job, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		if r.Kind != KindVoid {
			continue
		}
		m, err := l.mark(w.t.Context(), r.Voids)
		if err != nil {
			w.t.Fatal(err)
		}
		voided[r.Voids] = m != nil && m.VoidedBy == r.Seq
	}
	return voided
}

func (w *world) checkFile(r *Record, f File) {
	w.t.Helper()
	body, err := readAll(w.t.Context(), w.store, f.Path)
	if err != nil {
		w.t.Errorf("record %d: %v", r.Seq, err)
		return
	}
	if got := sha256Hex(body); got != f.SHA256 || int64(len(body)) != f.Bytes {
		w.t.Errorf("record %d: %s has %d bytes, checksum %s; want %d, %s", r.Seq, f.Path, len(body), got, f.Bytes, f.SHA256)
	}
}

// checkClean checks what holds after a run that ended well: everything is
// there once, and nothing else is.
func (w *world) checkClean() {
	w.t.Helper()
	w.checkReaders()
	want := map[string]int{}
	for id, version := range w.truth {
		for v := 1; v <= version; v++ {
			want[fmt.Sprintf("%s version %d", id, v)] = 1
		}
	}
	if diff := cmp.Diff(want, w.visible()); diff != "" {
		w.t.Errorf("visible rows (-want +got):\n%s", diff)
	}
	w.checkOrphans()
}

// checkOrphans checks that nothing is left of what was not committed.
func (w *world) checkOrphans() {
	w.t.Helper()
	keys := jobKeys(w.job)
	checkpoints, _, err := listCheckpoints(w.t.Context(), w.store, keys)
	if err != nil {
		w.t.Fatal(err)
	}
	swept := kept(checkpoints[w.shard.Index])
	for _, b := range w.shard.Buckets() {
		swept = min(swept, kept(checkpoints[b]))
	}
	cs, voided := map[string]bool{}, w.voided()
	for r, err := range ReadLog(w.t.Context(), w.store, w.job, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		for _, f := range r.Files {
			if voided[r.Seq] && len(w.list(f.Path)) > 0 {
				w.t.Errorf("%s stands, though its record %d was taken back", f.Path, r.Seq)
			}
		}
		if !r.Published {
			w.t.Errorf("record %d is not published", r.Seq)
		}
		cs[r.Cursors.Path] = true
		if _, err := w.store.Stat(w.t.Context(), r.Cursors.Path); r.Cursors.Path != "" && r.Seq > swept && err != nil {
			w.t.Errorf("record %d: %v", r.Seq, err)
		}
	}
	for _, key := range w.list(keys.root() + "cursors/") {
		if !cs[key] {
			w.t.Errorf("%s is in no record", key)
		}
	}
	for _, prefix := range []string{keys.leases(), keys.stagings(), keys.selfTests()} {
		for _, key := range w.list(prefix) {
			w.t.Errorf("%s is left over", key)
		}
	}
	w.police.mu.Lock()
	defer w.police.mu.Unlock()
	for key := range w.police.created {
		pending, err := w.store.PendingUploads(w.t.Context(), key)
		if err != nil || len(pending) > 0 {
			w.t.Errorf("%d uploads to %s are left pending (%v)", len(pending), key, err)
		}
	}
}

// checkCursors checks that a run that is opened now sees the truth.
func (w *world) checkCursors() {
	w.t.Helper()
	wr := w.mustOpen()
	got := map[string]string{}
	for b := range cursors.Buckets {
		if !w.shard.Owns(b) {
			continue
		}
		for _, u := range collect(w.t, wr.EachUser(w.t.Context(), b)) {
			got[u.UserID] = u.Cursors[0].CorrelationID
		}
	}
	want := map[string]string{}
	for id, v := range w.truth {
		want[id] = fmt.Sprintf("version %d", v)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("cursors (-want +got):\n%s", diff)
	}
	var users []string
	for id, err := range wr.Users(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		users = append(users, id)
	}
	slices.Sort(users)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), users); diff != "" {
		w.t.Errorf("users (-want +got):\n%s", diff)
	}
	if err := wr.Close(w.t.Context()); err != nil {
		w.t.Error(err)
	}
}

// group runs functions side by side and waits for them.
func group(fs ...func()) {
	var wg sync.WaitGroup
	for _, f := range fs {
		wg.Go(f)
	}
	wg.Wait()
}

func collect[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var out []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}
