package jobs

import (
	"cmp"
	"context"
	"time"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// lookBack is how many runs of each shard the expectations rest on: a week of
// nights, so that a quiet Sunday counts for what it is.
const lookBack = 7

// experience is what the last runs of a job tell about the next one.
type experience struct {
	ids     []string
	streams map[config.Stream]*pastStream
	// pages of the user list, and looks at settling users and the sync sessions
	// that made them settle.
	pages           int64
	listing         time.Duration // reading these
	looks, sessions int64
	// rate of the newest run that tells one, in requests a second.
	rate float64
}

// pastStream sums up what became of a stream. Pulls of users who were new are
// left out of changed and known; those of whom it was refreshed had not changed.
// Requests and pulls are those of runs that
// mostly brought what had changed ([0]) and of runs that mostly read what had
// never been read ([1]).
type pastStream struct {
	changed, known  int64
	requests, pulls [2]int64
}

// readHistory reads the newest reports of runs for all users.
func readHistory(ctx context.Context, from report.Source, shards int) (experience, error) {
	h := experience{streams: map[config.Stream]*pastStream{}}
	for past, err := range report.Past(ctx, from, time.Now()) {
		if err != nil {
			return h, err
		}
		// The limit rather than the rate at the end, which may have been cut a
		// moment before.
		if h.rate == 0 && past.Backfill == nil {
			h.rate = cmp.Or(past.LearnedLimit, past.Rate)
		}
		if !past.Whole() || past.Full || past.Users.Done() == 0 {
			continue
		}
		h.add(past)
		if len(h.ids) >= lookBack*max(shards, past.Shards) {
			break
		}
	}
	return h, nil
}

func (h *experience) add(past *report.Earlier) {
	h.ids = append(h.ids, past.RunID)
	if h.pages == 0 {
		h.pages = past.RequestsByOperation["users"]
		if past.List != nil {
			h.listing = time.Duration(past.List.Seconds * float64(time.Second))
		}
	}
	var services []config.Stream
	for s, sr := range past.Streams {
		if _, correlated := config.ServiceOf(s); !correlated || sr == nil {
			continue
		}
		services = append(services, s)
		if h.streams[s] == nil {
			h.streams[s] = &pastStream{}
		}
		of := h.streams[s]
		of.changed += sr.Pulled - sr.First - sr.Refreshed
		of.known += sr.Pulled - sr.First + sr.Unchanged + sr.NotAsked
		kind := 0
		if 2*(sr.First+sr.Refreshed) > sr.Pulled {
			kind = 1
		}
		of.requests[kind] += past.RequestsByOperation[operationOf(s)]
		of.pulls[kind] += sr.Pulled + sr.Failed
	}
	if sessions := past.RequestsByOperation["synchronize"]; sessions > 0 {
		u := past.Users
		probes := (u.Listed - past.Unreached - u.Gone - u.Quarantined) * int64(len(config.ServicesOf(services)))
		h.sessions += sessions
		h.looks += max(0, past.RequestsByOperation["correlation"]-probes)
	}
}

// share is the expected share of changed users among those known.
func (h *experience) share(s config.Stream) (float64, bool) {
	of := h.streams[s]
	if of == nil || of.known == 0 {
		return 0, false
	}
	return float64(of.changed) / float64(of.known), true
}

// pagesOfTags is how many pages a full read of categorization takes where no
// run has told: two years of bookings in pages of five hundred. Our reading.
const pagesOfTags = 2.5

// perPull is how many requests a pull of a stream takes: one, unless it comes
// in pages or was tried again. whole says that the stream is read in full.
func (h *experience) perPull(s config.Stream, whole bool) float64 {
	kind := 0
	if whole {
		kind = 1
	}
	if of := h.streams[s]; of != nil && of.pulls[kind] > 0 {
		return max(1, float64(of.requests[kind])/float64(of.pulls[kind]))
	}
	if whole && s == config.StreamCategorization {
		return pagesOfTags
	}
	return 1
}

// operationOf is the API's operation that reads a stream.
func operationOf(s config.Stream) string {
	if s == config.StreamBankLogins {
		return "logins"
	}
	return string(s)
}
