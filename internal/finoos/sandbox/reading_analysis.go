package sandbox

import "net/http"

// analysisReadings are about correlations and the diffs between them.
func analysisReadings() []reading {
	return []reading{
		{"correlation_ids", "shared per_service", "whether the services of one analysis share its id is not documented", "", func(r *Readings) *string { return &r.CorrelationIDs }},
		{"services", "together late never", "contracts and account history are analysed a night after the rest, or for some users never", "", func(r *Readings) *string { return &r.Services }},
		{"unknown_correlation", "given 400 404 410 whole", "what an unknown or too old correlation-id is answered with is not documented", "", func(r *Readings) *string { return &r.UnknownCorrelation }},
		{"diff", "given added whole replaces ignored refused", "a diff adds tags, names all of a transaction that changed, counts those that lost one too, or is none", "", func(r *Readings) *string { return &r.Diff }},
		{"removed_tags", "given kept removed", "a diff does not promise the tags that were removed", "", func(r *Readings) *string { return &r.RemovedTags }},
	}
}

// bend turns readings that are options, too, into these.
func (o *Options) bend() {
	r := o.Readings
	switch r.UnknownCorrelation {
	case "400":
		o.UnknownCorrelation = http.StatusBadRequest
	case "404":
		o.UnknownCorrelation = http.StatusNotFound
	case "410":
		o.UnknownCorrelation = http.StatusGone
	}
	if r.Diff != "" {
		o.DiffWholeTags = r.Diff == "whole" || r.Diff == "replaces"
	}
	if r.RemovedTags != "" {
		o.RemoveTags = r.RemovedTags == "removed"
	}
}

// correlationID is what a service calls an analysis.
func (s *Sandbox) correlationID(a analysis, svc service) string {
	if s.opts.Readings.CorrelationIDs == "" || svc == banking {
		return a.id
	}
	return s.seed.on("correlation "+a.id, int(svc)).uuid()
}

// tardy are the services that may finish later than the others.
func (svc service) tardy() bool { return svc == contracts || svc == accountHistory }

// unfinished tells whether a service has not come to an analysis yet. The
// caller holds s.mu.
func (s *Sandbox) unfinished(l life, k int, svc service) bool {
	if !svc.tardy() {
		return false
	}
	switch s.opts.Readings.Services {
	case "late":
		return k > 1 && l.analyses[k-1].night == s.nights
	case "never":
		return s.seed.on("never " + l.analyses[0].id).chance(0.35)
	default:
		return false
	}
}

// from is the index of the analysis that a diff starts from, as the readings
// have it: -1 for none.
func (r Readings) from(k int, known bool) (int, bool) {
	switch {
	case k < 0 || r.Diff == "ignored":
		return -1, true
	case r.Diff == "refused":
		return 0, false
	case !known && r.UnknownCorrelation == "whole":
		return -1, true
	default:
		return k, known
	}
}

// changed tells whether a diff names a booking.
func (r Readings) changed(t *booking, since, last int) bool {
	return since < 0 || t.tags(since, last) != nil || r.Diff == "replaces" && t.untagged && t.untaggedAt > since
}
