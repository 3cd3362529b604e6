package sink

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"finoos-syncer/internal/id"
	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// Objects of the system's name others: files, uploads, cursor objects. Whoever can
// write one of these objects may not thereby have this program read, write or delete
// what he could not himself. So a name counts only if keys.go makes it for the very
// job, run and shard that the object is of; what names anything else is ErrForged,
// and nothing is done on its word.

// maxSeq is far more than a log will ever have: above it are no numbers of records,
// so that counting on from one cannot overflow.
const maxSeq = 1 << 53

// maxUploadText bounds what a store calls an upload or a part, in bytes.
const maxUploadText = 4 << 10

// mostParts is how many parts a store takes of an upload.
const mostParts = 10_000

// forgedError is an [ErrForged] of the object at a key.
type forgedError struct {
	key string
	why error
}

// forged says of an object what is wrong with it.
func forged(key string, why error) error { return &forgedError{key, why} }

func (e *forgedError) Error() string {
	return fmt.Sprintf("%v: %s: %v; %s", ErrForged, printable(e.key), e.why, doForged(e.key))
}

func (e *forgedError) Unwrap() []error { return []error{ErrForged, e.why} }

// reasonOf is what is wrong with an object, without what a finding says beside.
func reasonOf(err error) error {
	if e := (*forgedError)(nil); errors.As(err, &e) {
		return e.why
	}
	return err
}

// doForged is what to do about an object that no run can have written.
func doForged(key string) string {
	keys := jobKeys(jobOf(key))
	within := func(prefix string) bool { return strings.HasPrefix(key, prefix) }
	switch {
	case within(keys.log()) && strings.HasSuffix(key, publishedSuffix):
		return doMarkAgain
	case within(keys.log()):
		return doRecord
	case within(keys.leases()):
		return doLease
	case within(keys.stagings()):
		return doStaging
	case within(keys.backfills()) && strings.HasSuffix(key, "/ledger.json"):
		return doLedger
	case within(keys.backfills()):
		return doBackfill
	default:
		return doStranger
	}
}

// printable is a text of somebody else's for a message: short, without control
// characters.
func printable(text string) string {
	const longest = 300
	if len(text) > longest {
		text = text[:longest] + "…"
	}
	if quoted := strconv.Quote(text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}

// numbered says whether text is what stands between begin and end, and that is a
// number from 1 as it is printed.
func numbered(text, begin, end string) bool {
	digits, ok := strings.CutPrefix(text, begin)
	digits, isWhole := strings.CutSuffix(digits, end)
	n, err := strconv.ParseInt(digits, 10, 64)
	return ok && isWhole && err == nil && n > 0 && strconv.FormatInt(n, 10) == digits
}

// isDataKey says whether a run could have written a file of a table to a key.
func isDataKey(key, tab, runID string, shard int) bool {
	rest, ok := strings.CutPrefix(key, tab+"/ingest_date=")
	day, name, isCut := strings.Cut(rest, "/")
	if _, err := time.Parse(time.DateOnly, day); !ok || !isCut || err != nil {
		return false
	}
	return table.ByName(tab) != nil && validName.MatchString(runID) && numbered(name, fmt.Sprintf("%s-%d-", runID, shard), ".parquet")
}

// isCursors says whether a run could have written its cursors to a key.
func (k jobKeys) isCursors(key, runID string, shard int) bool {
	return validName.MatchString(runID) && numbered(key, fmt.Sprintf("%s%s-%d-", k.cursorObjects(), runID, shard), ".parquet")
}

// isAnyCursors says the same of any run of the job.
func (k jobKeys) isAnyCursors(key string) bool {
	name, ok := strings.CutPrefix(key, k.cursorObjects())
	parts := strings.Split(name, "-")
	if !ok || len(parts) < 3 {
		return false
	}
	shard, err := strconv.Atoi(parts[len(parts)-2])
	return err == nil && isShard(cursors.Shard{Index: shard, Count: cursors.Buckets}) &&
		k.isCursors(key, strings.Join(parts[:len(parts)-2], "-"), shard)
}

// isHandover says whether a shard could have left something for another at a key.
func (k jobKeys) isHandover(key string) bool {
	rest, ok := strings.CutPrefix(key, k.handovers())
	group, name, isCut := strings.Cut(rest, "/")
	return ok && isCut && validName.MatchString(group) && validName.MatchString(name)
}

// isShard says whether there can be such a shard.
func isShard(s cursors.Shard) bool {
	return s.Index >= 0 && s.Index < max(s.Count, 1) && s.Count >= 0 && s.Count <= cursors.Buckets
}

// ours reports what no run can have written into a record of the job that it names,
// whoever was to read it. What may be wrong with a record that a run did write is for
// verify to find.
func (r *Record) ours() error {
	switch {
	case r.Version < 1:
		return errors.New("it is of no version")
	case !validName.MatchString(r.Job):
		return fmt.Errorf("it is of job %s", printable(r.Job))
	case !isShard(cursors.Shard{Index: r.Shard, Count: r.Shards}):
		return fmt.Errorf("it is of shard %d of %d", r.Shard, r.Shards)
	case r.Seq > maxSeq || r.BaseSeq >= r.Seq:
		return fmt.Errorf("it builds upon record %d", r.BaseSeq)
	}
	for i, b := range r.Buckets {
		if b < 0 || b >= cursors.Buckets || i > 0 && b <= r.Buckets[i-1] {
			return fmt.Errorf("its buckets of users are none, or out of order: %d", b)
		}
	}
	return errors.Join(r.checkKind(), r.checkCursors(), r.checkFiles(), r.checkTables())
}

// checkKind checks what goes with the record's kind.
func (r *Record) checkKind() error {
	voids, fences := r.Kind == KindVoid, r.Kind == KindFence
	switch {
	case r.Kind != KindRun && r.Kind != KindBackfill && !voids && !fences:
		return fmt.Errorf("it is of kind %s", printable(r.Kind))
	case voids != (r.Voids > 0) || r.Voids >= r.Seq:
		return fmt.Errorf("it is a %s, and takes back record %d", r.Kind, r.Voids)
	case fences && r.Fences == "":
		return errors.New("it is a fence for no run")
	case (voids || fences) && (len(r.Files) > 0 || len(r.Tables) > 0 || r.Cursors != CursorObject{}):
		return fmt.Errorf("it is a %s, and names files or cursors", r.Kind)
	case r.Kind == KindBackfill && !validName.MatchString(r.Backfill):
		return fmt.Errorf("it is of backfill %s", printable(r.Backfill))
	case r.Kind != KindRun && r.Kind != KindBackfill:
		return nil
	}
	own := cursors.Shard{Index: r.Shard, Count: r.Shards}
	for _, b := range r.Buckets {
		if !own.Owns(b) {
			return fmt.Errorf("it speaks for bucket %d, which is not of shard %d of %d", b, r.Shard, r.Shards)
		}
	}
	return nil
}

func (r *Record) checkCursors() error {
	c := r.Cursors
	if c == (CursorObject{}) {
		return nil
	}
	if c.Rows < 0 || c.Bytes < 0 {
		return fmt.Errorf("its cursors are %d in %d bytes", c.Rows, c.Bytes)
	}
	if !jobKeys(r.Job).isCursors(c.Path, r.RunID, r.Shard) {
		return fmt.Errorf("it names the cursors %s, which its run cannot have written", printable(c.Path))
	}
	return nil
}

func (r *Record) checkFiles() error {
	named := make(map[string]bool, len(r.Files))
	for _, f := range r.Files {
		if err := f.ours(r); err != nil {
			return err
		}
		if named[f.Path] {
			return fmt.Errorf("it names %s twice", printable(f.Path))
		}
		named[f.Path] = true
	}
	return nil
}

func (f *File) ours(r *Record) error {
	path := printable(f.Path)
	switch {
	case table.ByName(f.Table) == nil:
		return fmt.Errorf("it names a file of table %s, which this program does not know (use a newer one)", printable(f.Table))
	case !isDataKey(f.Path, f.Table, r.RunID, r.Shard):
		return fmt.Errorf("it names the file %s, which its run cannot have written to table %s", path, f.Table)
	case f.Upload.Key != f.Path:
		return fmt.Errorf("the upload of %s is to %s", path, printable(f.Upload.Key))
	case f.Rows < 0 || f.Bytes < 0 || len(f.SHA256) > maxUploadText:
		return fmt.Errorf("%s holds %d rows in %d bytes", path, f.Rows, f.Bytes)
	case !isUploadText(f.Upload.ID) || f.Upload.Token != "" && !isUploadText(f.Upload.Token):
		return fmt.Errorf("the upload of %s is none that a store names", path)
	case len(f.Upload.Parts) > mostParts:
		return fmt.Errorf("the upload of %s has %d parts", path, len(f.Upload.Parts))
	}
	for i, p := range f.Upload.Parts {
		if !isPart(p) || i > 0 && p.Number <= f.Upload.Parts[i-1].Number {
			return fmt.Errorf("part %d of the upload of %s is none", i+1, path)
		}
	}
	return nil
}

func isPart(p bucket.Part) bool {
	return p.Number >= 1 && p.Number <= mostParts && p.Size >= 0 && isUploadText(p.ETag) && len(p.CRC32) <= maxUploadText
}

// isUploadText says whether a store may have named an upload or a part so.
func isUploadText(text string) bool {
	return text != "" && len(text) <= maxUploadText && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func (r *Record) checkTables() error {
	for name, t := range r.Tables {
		if t.Upserts < 0 || t.Deletes < 0 {
			return fmt.Errorf("it sums up table %s as %d upserts, %d deletes", printable(name), t.Upserts, t.Deletes)
		}
		for column, sum := range t.Sums {
			// Of 2^63 rows of the greatest amounts it has 40 digits.
			if len(sum) > 50 || strings.Trim(sum, "-.0123456789") != "" {
				return fmt.Errorf("its sum of column %s of table %s is %s", printable(column), printable(name), printable(sum))
			}
		}
	}
	return nil
}

// ours reports what no run can have staged, or not at that key.
func (st *stagingRecord) ours(key string, keys jobKeys) error {
	switch {
	case !validName.MatchString(st.RunID): // it becomes part of keys, and of a fence
		return errors.New("it names no run")
	case !isShard(st.shard()):
		return fmt.Errorf("it is of shard %d of %d", st.Shard, st.Shards)
	case key != keys.staging(st.RunID, st.Shard):
		return fmt.Errorf("it is of shard %d of run %s", st.Shard, st.RunID)
	case st.Backfill != "" && !validName.MatchString(st.Backfill):
		return fmt.Errorf("it is of backfill %s", printable(st.Backfill))
	case st.BaseSeq > maxSeq:
		return fmt.Errorf("it builds upon record %d", st.BaseSeq)
	}
	for _, path := range st.Uploads {
		tab, _, _ := strings.Cut(path, "/")
		if !isDataKey(path, tab, st.RunID, st.Shard) {
			return fmt.Errorf("it names the file %s, which its run cannot write", printable(path))
		}
	}
	for _, path := range st.Cursors {
		if !keys.isCursors(path, st.RunID, st.Shard) {
			return fmt.Errorf("it names the cursors %s, which its run cannot write", printable(path))
		}
	}
	return nil
}

// ours reports what no run can have written into a lease, or not at that key.
func (l *leaseBody) ours(key string, keys jobKeys) error {
	switch {
	case !validName.MatchString(l.RunID):
		return errors.New("it names no run")
	case !isShard(cursors.Shard{Index: l.Shard, Count: l.Shards}):
		return fmt.Errorf("it is of shard %d of %d", l.Shard, l.Shards)
	case l.Backfill != "" && !validName.MatchString(l.Backfill), key != keys.lease(l.Shard, l.Backfill):
		return fmt.Errorf("it is of shard %d, backfill %s", l.Shard, printable(l.Backfill))
	case l.Holder != "" && !id.Valid(l.Holder):
		return errors.New("its holder is none that can be shown")
	case l.BaseSeq > maxSeq:
		return fmt.Errorf("it reads from record %d", l.BaseSeq)
	}
	return nil
}

// ours reports what is none of the backfill's definitions.
func (d *BackfillDefinition) ours(name string) error {
	switch {
	case len(d.Since) > len(time.DateOnly), len(d.Until) > len(time.DateOnly):
		return fmt.Errorf("it is of %s to %s", printable(d.Since), printable(d.Until))
	case d.Name != name:
		return fmt.Errorf("it is of backfill %s", printable(d.Name))
	case d.BaseSeq > maxSeq:
		return fmt.Errorf("it was defined after record %d", d.BaseSeq)
	case slices.ContainsFunc(d.Streams, func(s string) bool { return !validName.MatchString(s) }):
		return fmt.Errorf("it is of streams %s", printable(strings.Join(d.Streams, ", ")))
	case !isUploadText(d.Users) && d.Users != "":
		return errors.New("the digest of its users is none")
	}
	return nil
}

// ours reports what no run can have written into the ledger of a backfill.
func (l *backfillLedger) ours(keys jobKeys) error {
	if l.Through > maxSeq || l.Users < 0 {
		return fmt.Errorf("it goes up to record %d, and knows %d users", l.Through, l.Users)
	}
	var last uint64
	for _, e := range l.Commits {
		switch {
		case e.Seq <= last || e.Seq > l.Through:
			return fmt.Errorf("its records are out of order: %d", e.Seq)
		case e.Kind != KindBackfill && e.Kind != KindVoid, e.Voids >= e.Seq:
			return fmt.Errorf("it has record %d as %s that takes back %d", e.Seq, printable(e.Kind), e.Voids)
		case e.Cursors.Path != "" && !keys.isAnyCursors(e.Cursors.Path):
			return fmt.Errorf("it names the cursors %s, which no run of the job can have written", printable(e.Cursors.Path))
		}
		last = e.Seq
	}
	return nil
}

// ours reports what no shard can have written into the end of a handover.
func (h *handed) ours() error {
	if !validName.MatchString(h.RunID) || h.Chunks < 0 || h.Chunks > maxChunks {
		return fmt.Errorf("it is of run %s, in %d pieces", printable(h.RunID), h.Chunks)
	}
	return nil
}

// ours reports what no run can have written into the mark of a record.
func (m *publishedMark) ours(seq uint64) error {
	if m.RunID != "" && printable(m.RunID) != m.RunID || m.VoidedBy != 0 && (m.VoidedBy <= seq || m.VoidedBy > maxSeq) {
		return fmt.Errorf("it says that run %s has published it, and record %d takes it back", printable(m.RunID), m.VoidedBy)
	}
	return nil
}
