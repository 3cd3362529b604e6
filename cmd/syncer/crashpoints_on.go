//go:build crashpoints

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"finoos-syncer/internal/crashpoints"
	"finoos-syncer/internal/jobs"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
)

// arm reads from the environment where a run is to die, and what it is to do
// smaller and sooner than in production, so that a short run takes every step:
//
//	SYNCER_CRASH=before:17 | after:17 | stop:17
//	SYNCER_CRASH_TRACE=file, to which the operations are appended
//	SYNCER_CRASH_TUNE=lease=1s,look=5ms,… (see tune)
func (a *app) arm(cfg *config.Config, job string) (func(bucket.Store) bucket.Store, error) {
	text, _ := a.getenv("SYNCER_CRASH")
	plan, err := crashpoints.ParsePlan(text)
	if err != nil {
		return nil, usagef("SYNCER_CRASH: %w", err)
	}
	var trace *os.File
	if path, ok := a.getenv("SYNCER_CRASH_TRACE"); ok {
		if trace, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			return nil, usagef("SYNCER_CRASH_TRACE: %w", err)
		}
	}
	settings, _ := a.getenv("SYNCER_CRASH_TUNE")
	for setting := range strings.SplitSeq(settings, ",") {
		if err := tune(cfg, job, setting); err != nil {
			return nil, usagef("SYNCER_CRASH_TUNE: %w", err)
		}
	}
	return func(s bucket.Store) bucket.Store { return crashpoints.Wrap(s, plan, trace) }, nil
}

// tune makes one setting: lease (how long one lives), look (how often a run
// asks itself whether to commit), commit (checkpoint_every), checkpoint (after
// how many commits), file (target_file_size in bytes, smaller than jobs.yaml may
// have it).
func tune(cfg *config.Config, job, setting string) error {
	name, value, _ := strings.Cut(setting, "=")
	number, errNumber := strconv.Atoi(value)
	span, errSpan := time.ParseDuration(value)
	var err error
	switch name {
	case "":
	case "lease":
		jobs.Tune(jobs.Tuning{Lease: span})
		err = errSpan
	case "look":
		jobs.Tune(jobs.Tuning{Look: span})
		err = errSpan
	case "commit":
		cfg.Jobs[job].CheckpointEvery, err = span, errSpan
	case "checkpoint":
		sink.Tune(number)
		err = errNumber
	case "file":
		cfg.Sink.TargetFileSize, err = int64(number), errNumber
	default:
		err = errors.New("there is no such setting")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", setting, err)
	}
	return nil
}
