package sink

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"finoos-syncer/internal/sink/attempts"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/selftest"
)

// Every key that this package reads or writes is built in this file.

// system is where everything lives that is not data.
const system = "_syncer/"

// validName is what a job, a run id and the name of a backfill look like:
// they become parts of keys.
var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

func checkName(what, name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%s %q: use letters, digits, '.', '_' and '-' only, at most 100, beginning with a letter or digit", what, name)
	}
	return nil
}

// PendingPrefix is the key prefix below which a folder keeps the uploads of a
// job that are not completed yet: see bucket.Options.
func PendingPrefix(job string) string { return jobKeys(job).root() + "pending" }

// dataKey is the key of a data file. The number is unique to the process.
func dataKey(table string, day time.Time, runID string, shard int, n int64) string {
	return fmt.Sprintf("%s/ingest_date=%s/%s-%d-%d.parquet", table, day.UTC().Format(time.DateOnly), runID, shard, n)
}

// jobKeys builds the keys below _syncer/<job>/.
type jobKeys string

// jobOf is the job that a key of the system's belongs to; "" for others.
func jobOf(key string) string {
	rest, ok := strings.CutPrefix(key, system)
	job, _, inJob := strings.Cut(rest, "/")
	if !ok || !inJob {
		return ""
	}
	return job
}

// behindJob is a key behind which no more keys of a job are listed: '0' is
// what follows '/'.
func behindJob(job string) string { return system + job + "0" }

func (k jobKeys) root() string { return system + string(k) + "/" }

func (k jobKeys) log() string                 { return k.root() + "log/" }
func (k jobKeys) record(seq uint64) string    { return k.log() + seqText(seq) + recordSuffix }
func (k jobKeys) published(seq uint64) string { return k.log() + seqText(seq) + publishedSuffix }

// afterSeq is the key behind which the log lists what is newer than seq.
func (k jobKeys) afterSeq(seq uint64) string {
	if seq == 0 {
		return ""
	}
	return k.published(seq)
}

func (k jobKeys) cursorObjects() string { return k.root() + "cursors/" }
func (k jobKeys) cursors(runID string, shard int, n int64) string {
	return fmt.Sprintf("%s%s-%d-%d.parquet", k.cursorObjects(), runID, shard, n)
}

// cursorsOf is what the keys of a run's cursors begin with.
func (k jobKeys) cursorsOf(runID string) string { return k.cursorObjects() + runID + "-" }

func (k jobKeys) checkpoints() string { return k.root() + "checkpoints/" }
func (k jobKeys) checkpoint(bucket int, seq uint64) string {
	return fmt.Sprintf("%s%03d/%s.parquet", k.checkpoints(), bucket, seqText(seq))
}

func (k jobKeys) leases() string { return k.root() + "leases/" }

// lease is the key of the lease of a shard, or of a backfill that is named.
func (k jobKeys) lease(shard int, backfill string) string {
	if backfill != "" {
		return k.leases() + "backfill-" + backfill + ".json"
	}
	return k.leases() + strconv.Itoa(shard) + ".json"
}

func (k jobKeys) backfills() string           { return k.root() + "backfills/" }
func (k jobKeys) backfill(name string) string { return k.backfills() + name + "/" }

// The three objects of a backfill: see backfill.go.
func (k jobKeys) definition(name string) string     { return k.backfill(name) + "definition.json" }
func (k jobKeys) backfillLedger(name string) string { return k.backfill(name) + "ledger.json" }
func (k jobKeys) finished(name string) string       { return k.backfill(name) + "finished.json" }

func (k jobKeys) states() string           { return k.root() + "state/" }
func (k jobKeys) state(name string) string { return k.states() + name + ".json" }

func (k jobKeys) stagings() string { return k.root() + "staging/" }
func (k jobKeys) staging(runID string, shard int) string {
	return fmt.Sprintf("%s%s-%d.json", k.stagings(), runID, shard)
}

// What banks were about to be asked for: see package attempts.
func (k jobKeys) attempts() string { return k.root() + "attempts/" }

func (k jobKeys) attempt(runID string, shard int, n int64) string {
	return fmt.Sprintf("%s%s-%d-%d.json", k.attempts(), runID, shard, n)
}

func (k jobKeys) attemptRun(key string) string {
	return attempts.RunOf(strings.TrimPrefix(key, k.attempts()))
}

func (k jobKeys) selfTests() string          { return k.root() + "selftest/" }
func (k jobKeys) reports() string            { return k.root() + "runs/" }
func (k jobKeys) report(runID string) string { return k.reports() + runID + reportSuffix }

// selfTest are the keys of a run's self-test; no run id begins with '_'.
func (k jobKeys) selfTest(runID string) selftest.Keys {
	return selftest.Keys{Conditions: k.selfTests() + runID, Upload: k.selfTests() + "_" + runID}
}

// selfTestRun is whose self-test a key belongs to; "" for a key of none.
func (k jobKeys) selfTestRun(key string) string {
	run := strings.TrimPrefix(strings.TrimPrefix(key, k.selfTests()), "_")
	if !validName.MatchString(run) {
		return ""
	}
	return run
}

// What shards hand over to each other, by run group.
func (k jobKeys) handovers() string                 { return k.root() + "handover/" }
func (k jobKeys) handoverGroup(group string) string { return k.handovers() + group + "/" }
func (k jobKeys) handover(group string, s cursors.Shard) string {
	return fmt.Sprintf("%s%d-%d.json", k.handoverGroup(group), s.Index, s.Count)
}

func (k jobKeys) handoverChunk(group, runID string, s cursors.Shard, n int) string {
	return fmt.Sprintf("%s%s-%d-%d-%d", k.handoverGroup(group), runID, s.Index, s.Count, n)
}

const (
	recordSuffix    = ".json"
	reportSuffix    = ".json"
	publishedSuffix = ".published"
	seqDigits       = 20
)

func seqText(seq uint64) string { return fmt.Sprintf("%0*d", seqDigits, seq) }

// parseLog takes a key of the log apart; ok is false for what is not of it.
func (k jobKeys) parseLog(key string) (seq uint64, published, ok bool) {
	name, ok := strings.CutPrefix(key, k.log())
	if !ok || len(name) < seqDigits {
		return 0, false, false
	}
	seq, err := strconv.ParseUint(name[:seqDigits], 10, 64)
	if err != nil || seq == 0 || seq > maxSeq {
		return 0, false, false
	}
	suffix := name[seqDigits:]
	return seq, suffix == publishedSuffix, suffix == publishedSuffix || suffix == recordSuffix
}

// parseCheckpoint takes the key of a checkpoint apart.
func (k jobKeys) parseCheckpoint(key string) (bucket int, seq uint64, ok bool) {
	name, ok := strings.CutPrefix(key, k.checkpoints())
	if !ok {
		return 0, 0, false
	}
	dir, file, _ := strings.Cut(name, "/")
	digits, isParquet := strings.CutSuffix(file, ".parquet")
	bucket, err := strconv.Atoi(dir)
	if err != nil || !isParquet || bucket < 0 || bucket >= cursors.Buckets {
		return 0, 0, false
	}
	seq, err = strconv.ParseUint(digits, 10, 64)
	return bucket, seq, err == nil && key == k.checkpoint(bucket, seq)
}
