package jobs

import (
	"time"

	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink"
)

// tellCommit calls the caller's function.
func (r *run) tellCommit(rec *sink.Record, took time.Duration) {
	if r.o.Committed == nil {
		return
	}
	c := report.Commit{Took: took, Tables: map[string]report.Table{}}
	for _, f := range rec.Files {
		t := c.Tables[f.Table]
		t.Rows += f.Rows
		t.Files++
		t.Bytes += f.Bytes
		c.Tables[f.Table] = t
	}
	r.o.Committed(c)
}
