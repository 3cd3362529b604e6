package doctor

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/scratch"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
)

// sink tries what a run needs of the object store.
func (d *doctor) sink(ctx context.Context) {
	store, err := jobs.OpenStore(ctx, d.o.Config.Sink, d.o.Job, d.o.Logger)
	if err != nil {
		d.fail(jobs.ReasonSink, "sink", "correct sink in jobs.yaml, or what keeps it from being reached", "%v", err)
		return
	}
	if d.o.WrapStore != nil {
		store = d.o.WrapStore(store)
	}
	if err := scratch.Try(d.o.Config.Sink.ScratchDir); err != nil {
		d.fail(jobs.ReasonSink, "scratch folder", "mount a folder that can be written to, and set sink.scratch_dir", "%v", err)
	} else {
		d.ok("scratch folder", "can be written to")
	}
	checks, err := sink.Examine(ctx, store, d.o.Job, d.id)
	for _, check := range checks {
		what := "sink: " + check.Name
		switch {
		case check.Err == nil:
			d.ok(what, "%s", store)
		case errors.Is(check.Err, sink.ErrLyingStore):
			d.fail(jobs.ReasonSink, what, "use another store or a newer version of it: nothing is safe on this one", "%v", check.Err)
		case bucket.SaysWhatToDo(check.Err):
			d.fail(jobs.ReasonSink, what, "do as it says", "%v", check.Err)
		case errors.Is(check.Err, bucket.ErrDenied):
			d.fail(jobs.ReasonSink, what, "grant the permission: docs/operators.md lists those that are needed", "%v", check.Err)
		default:
			d.fail(jobs.ReasonSink, what, "see that the store can be reached and is healthy", "%v", check.Err)
		}
	}
	if err != nil {
		d.fail(jobs.ReasonSink, "sink", "try again", "%v", err)
		return
	}
	d.encryption()
	d.tags(ctx, store)
	d.probing(ctx, store)
}

// probing says how the next run asks the users whether they have anything new.
func (d *doctor) probing(ctx context.Context, store bucket.Store) {
	const what = "probe"
	p, err := jobs.ProbeOf(ctx, store, d.o.Job, d.job, time.Now())
	if err != nil {
		d.warn(what, "nothing: the next run writes it anew", "what was remembered of earlier runs cannot be read, and all services are asked: %v", err)
		return
	}
	d.note(what, "", "%s", p.Text())
}

func (d *doctor) encryption() {
	const what = "sink: encryption"
	switch c := d.o.Config.Sink; {
	case strings.HasPrefix(c.URL, "file:"):
		d.note(what, "", "a local folder: that of its disk, if any")
	case c.SSE == "":
		d.note(what, "set sink.sse to ask for more", "the bucket's default")
	case c.KMSKeyID != "":
		d.ok(what, "%s with the key %s: an object could be written with it", c.SSE, c.KMSKeyID)
	default:
		d.ok(what, "%s: an object could be written with it", c.SSE)
	}
}

func joined(streams []config.Stream) string {
	names := make([]string, len(streams))
	for i, s := range streams {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

func sortedKeys(m map[string]string) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}
