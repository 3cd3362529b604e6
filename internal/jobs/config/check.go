package config

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// check looks at what no single value can show, and settles what depends on
// other keys. It runs even where values are wrong, so that one reading reports
// everything.
func (l *loader) check(cfg *Config) {
	l.beside(&cfg.FinoOS.CAFile)
	l.beside(&cfg.Sink.CAFile)
	l.checkFinoOS(cfg.FinoOS)
	if _, isSet := l.places["finoos.max_scratch"]; isSet && cfg.FinoOS.MaxScratch < cfg.FinoOS.MaxResponse && !l.doubts("finoos.max_scratch") && !l.doubts("finoos.max_response") {
		l.problem(l.place("finoos.max_scratch"), "finoos.max_scratch", "is below max_response: an answer of that size would never fit")
	}
	l.checkSink(cfg.Sink)
	names := slices.Collect(maps.Keys(cfg.Jobs))
	// The job that stands first in the file keeps a stream that two want.
	slices.SortFunc(names, func(a, b string) int {
		x, y := l.places["jobs."+a], l.places["jobs."+b]
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column))
	})
	owners := map[Stream]string{}
	for _, name := range names {
		job := cfg.Jobs[name]
		l.checkJob(job)
		l.checkStreams(job, owners)
	}
}

// checkFinoOS looks at durations of which one holds the other: an answer as a whole
// cannot be over before its first byte is due.
func (l *loader) checkFinoOS(f FinoOS) {
	at, says := "finoos.body_timeout", "is less than finoos.timeout: it bounds an answer as a whole, and timeout each silence within it"
	if l.places[at] == nil {
		at, says = "finoos.timeout", "is more than finoos.body_timeout, which bounds an answer as a whole (10m where it is left out): set that, too"
	}
	sure := !l.doubts("finoos.timeout") && !l.doubts("finoos.body_timeout")
	if f.BodyTimeout < f.Timeout && sure {
		l.problem(l.place(at), at, "%s", says)
	}
}

func (l *loader) checkSink(s Sink) {
	if s.KMSKeyID != "" && s.SSE != "aws:kms" && l.knows("sink.sse") {
		l.problem(l.place("sink.kms_key_id"), "sink.kms_key_id", "needs sse: aws:kms")
	}
	if !strings.HasPrefix(s.URL, "file:") {
		return
	}
	for key, value := range map[string]string{"sse": s.SSE, "kms_key_id": s.KMSKeyID, "expected_bucket_owner": s.ExpectedBucketOwner, "ca_file": s.CAFile} {
		if value != "" {
			l.problem(l.place("sink."+key), "sink."+key, "is for an s3:// sink only")
		}
	}
}

// beside lets a relative path start at the folder of the configuration.
func (l *loader) beside(file *string) {
	if *file != "" && !filepath.IsAbs(*file) {
		*file = filepath.Join(filepath.Dir(l.name), *file)
	}
}

func (l *loader) checkJob(job *Job) {
	path := "jobs." + job.Name
	l.checkMask(job, path)
	l.beside(&job.Sync.UserIPs)
	if !job.Sync.UserIP.IsValid() && job.Sync.UserIPs == "" && l.knows(path+".sync.user_ip") && l.knows(path+".sync.user_ips") {
		job.Sync.When = SyncNever
	}
}

// checkStreams gives the job its streams: cursors belong to a job, so each
// stream has one owner among the jobs of a sink.
func (l *loader) checkStreams(job *Job, owners map[Stream]string) {
	path := "jobs." + job.Name + ".streams"
	given := l.places[path] != nil
	if !given {
		job.Streams = Streams()
	}
	for _, s := range job.Streams {
		owner, taken := owners[s]
		if !taken || owner == job.Name {
			owners[s] = job.Name
			continue
		}
		if !given {
			l.problem(l.place("jobs."+job.Name), path, "a job without streams pulls all of them, but jobs.%s pulls %s already, into the same sink", owner, s)
			return
		}
		l.problem(l.place(join(path, string(s))), path, "%s is pulled by jobs.%s already, into the same sink", s, owner)
	}
}

// doubts reports whether the value of a key is not what was meant: it is wrong, or not
// known.
func (l *loader) doubts(path string) bool {
	return !l.knows(path) || slices.ContainsFunc(l.problems, func(p Problem) bool { return p.Key == path })
}

// place returns where the value at path stands, or the top of the file.
func (l *loader) place(path string) *yaml.Node {
	if n := l.places[path]; n != nil {
		return n
	}
	return &yaml.Node{Line: 1, Column: 1}
}
