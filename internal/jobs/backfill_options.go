package jobs

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/pull"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
)

// pastStreams are the streams that have a past to bring; the others tell of
// now alone, which the nightly runs know.
func pastStreams() []config.Stream {
	return []config.Stream{config.StreamTransactions, config.StreamCategorization, config.StreamContracts, config.StreamAccountHistory}
}

// backfillShare is the part of the job's rate that a backfill takes unless it
// is told: there is a nightly run to leave room for.
const backfillShare = 0.25

// newFilling checks the options, and makes the run that the backfill is.
func newFilling(o BackfillOptions) (*filling, error) {
	job := o.Config.Jobs[o.Job]
	if job == nil {
		return nil, Stopf(ReasonConfig, "no job is called %q: jobs.yaml has %s", o.Job, config.JobNames(o.Config, o.Job))
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	streams, err := backfillStreams(o.Job, job, o.Streams)
	if err != nil {
		return nil, err
	}
	f, now := &filling{asked: o}, o.Now()
	if err := f.setRange(pull.DaysOf(now.In(job.Timezone))); err != nil {
		return nil, err
	}
	ceiling := o.Config.FinoOS.RequestsPerSecond
	rate := cmp.Or(o.Rate, backfillShare*ceiling)
	if rate < 0 || rate > ceiling {
		return nil, Stopf(ReasonConfig, "a rate of %g requests per second: give one above 0 and up to requests_per_second, which is %g", rate, ceiling)
	}
	f.def.Streams = streamNames(config.PullOrder(&config.Job{Streams: streams}))
	f.def.Users = digestOf(o.Users)
	f.def.CreatedAt = now.UTC()
	f.def.Name = cmp.Or(o.Name, f.nameIt())
	if err := sink.CheckBackfill(f.def.Name); err != nil {
		return nil, &StopError{Reason: ReasonConfig, Err: err}
	}
	ro := o.RunOptions
	ro.Config, ro.RunGroup, ro.Users = backfillConfig(o.Config, o.Job, streams, rate), f.def.Name, nil
	ro.Shard, ro.OnlyFailed, ro.Full, ro.Pacing = cursors.Shard{}, false, false, nil
	if f.session, err = newSession(ro); err != nil {
		return nil, err
	}
	f.log = f.log.With("backfill", f.def.Name)
	f.list = newListing(f.session)
	f.flow = newFlow(f.session, &f.list.held, f)
	return f, nil
}

// backfillConfig is the configuration that the machinery of a run works by:
// what belongs to a night is taken out.
func backfillConfig(c *config.Config, name string, streams []config.Stream, rate float64) *config.Config {
	cfg, job := *c, *c.Jobs[name]
	job.Streams = streams
	job.Deadline = 0
	job.Probe = config.ProbeEach
	job.Failures.RetryAtEnd = true
	cfg.FinoOS.RequestsPerSecond = rate
	cfg.Jobs = map[string]*config.Job{name: &job}
	return &cfg
}

func backfillStreams(name string, job *config.Job, asked []config.Stream) ([]config.Stream, error) {
	var possible []config.Stream
	for _, s := range pastStreams() {
		if slices.Contains(job.Streams, s) {
			possible = append(possible, s)
		}
	}
	if len(possible) == 0 {
		return nil, Stopf(ReasonConfig, "job %s has no stream with a past to bring; these have one: %s", name, strings.Join(streamNames(pastStreams()), ", "))
	}
	for _, s := range asked {
		if !slices.Contains(possible, s) {
			return nil, Stopf(ReasonConfig, "stream %q cannot be backfilled in job %s: choose from %s", s, name, strings.Join(streamNames(possible), ", "))
		}
	}
	if len(asked) == 0 {
		return possible, nil
	}
	return asked, nil
}

func streamNames(streams []config.Stream) []string {
	out := make([]string, 0, len(streams))
	for _, s := range streams {
		out = append(out, string(s))
	}
	return out
}

// setRange reads the first and the last day.
func (f *filling) setRange(today int32) (err error) {
	f.def.Since, f.def.Until = f.asked.Since, cmp.Or(f.asked.Until, pull.Midnight(today).Format(time.DateOnly))
	if f.asked.Since == "" {
		return Stopf(ReasonConfig, "since when? Give the first day: --since 2024-01-31")
	}
	if f.since, err = dayOf("since", f.def.Since); err != nil {
		return err
	}
	if f.until, err = dayOf("until", f.def.Until); err != nil {
		return err
	}
	switch {
	case f.since > today:
		return Stopf(ReasonConfig, "since %s: that day is yet to come", f.def.Since)
	case f.until > today:
		return Stopf(ReasonConfig, "until %s: that day is yet to come", f.def.Until)
	case f.since > f.until:
		return Stopf(ReasonConfig, "since %s until %s: the range ends before it begins", f.def.Since, f.def.Until)
	}
	return nil
}

func dayOf(what, text string) (int32, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1970 {
		return 0, Stopf(ReasonConfig, "%s %q is no day: write it as 2024-01-31", what, text)
	}
	return pull.DaysOf(t), nil
}

// nameIt makes a name of what was asked for. Of the last day only if it was
// named: tomorrow, the same command is to go on.
func (f *filling) nameIt() string {
	return f.def.Since + "-" + digestOf(append([]string{f.asked.Until, f.def.Users}, f.def.Streams...))[:8]
}

// digestOf is the same for the same texts in any order; empty for none.
func digestOf(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	texts = slices.Sorted(slices.Values(texts))
	sum := sha256.Sum256([]byte(strings.Join(texts, "\n")))
	return hex.EncodeToString(sum[:16])
}

// sameBackfill compares what was asked for with what stands under the name.
func sameBackfill(standing, asked *sink.BackfillDefinition, withUntil bool) error {
	differs := func(what, was, is string) error {
		return Stopf(ReasonConfig, "backfill %s has begun with other %s (%s, not %s): give the same ones to go on with it, or another --name",
			standing.Name, what, was, is)
	}
	switch {
	case standing.Since != asked.Since:
		return differs("days: --since", standing.Since, asked.Since)
	case withUntil && standing.Until != asked.Until:
		return differs("days: --until", standing.Until, asked.Until)
	case !slices.Equal(standing.Streams, asked.Streams):
		return differs("streams", strings.Join(standing.Streams, ","), strings.Join(asked.Streams, ","))
	case standing.Users != asked.Users:
		return differs("users", cmp.Or(standing.Users, "all"), cmp.Or(asked.Users, "all")+" by their digest")
	}
	return nil
}

// listedOnly is a user of whom nothing but the id is known.
func listedOnly(id string) *finoos.User { return &finoos.User{ID: id} }
