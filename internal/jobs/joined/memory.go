package joined

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/cursors"
)

// Memory is what a job remembers of its trials: an object of its state. That the one
// answer could be depended on is not remembered, that it could not is.
type Memory struct {
	First map[config.Stream]Doubt `json:"first,omitempty"` // of first pulls
	Again map[config.Stream]Doubt `json:"again,omitempty"` // of those that were not the first
	// Lost is when it was found that an earlier memory cannot be read: whatever was read by
	// one answer until then is in doubt.
	Lost time.Time `json:"lost,omitzero"`
}

// Unknown is the memory of which nothing is known any more.
func Unknown(now time.Time) Memory { return Memory{Lost: now.UTC()} }

// Doubt says since when a stream is in doubt, and what differed. What was read by runs
// that began from Since on is.
type Doubt struct {
	At     time.Time `json:"at"`
	Since  time.Time `json:"since,omitzero"`
	Fields []string  `json:"fields,omitempty"`
}

const (
	// doubtedFor is how long a stream is left to its endpoint that has differed.
	doubtedFor = 7 * 24 * time.Hour
	// skew is by how much the clocks of a job's shards may differ.
	skew = time.Hour
	// ahead is by how much an instant may lie ahead: beyond, it is of a clock that was
	// wrong.
	ahead = 24 * time.Hour
	// mostNames of the fields that differ are told.
	mostNames = 10
)

// Recall reads what is remembered; without a body, nothing is.
func Recall(body []byte) (Memory, error) {
	var m Memory
	if body == nil {
		return m, nil
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return Memory{}, fmt.Errorf("it is not what a job remembers of its first pulls: %w", err)
	}
	return m, nil
}

// Add puts streams in doubt as of now, by a run that began a while ago. What was read by
// earlier runs is, too, unless the tags of transactions are all that differs: those are
// of the moment, there and here, and categorization has the true ones.
func (m *Memory) Add(again bool, streams []config.Stream, differs map[config.Stream][]string, began, now time.Time) {
	of := &m.First
	if again {
		of = &m.Again
	}
	doubted := maps.Clone(*of)
	if doubted == nil {
		doubted = map[config.Stream]Doubt{}
	}
	for _, s := range streams {
		d := Doubt{At: now.UTC(), Fields: differs[s][:min(len(differs[s]), mostNames)]}
		if s == config.StreamTransactions && slices.Equal(d.Fields, []string{tagsField}) {
			d.Since = began.UTC()
			if before, known := doubted[s]; known && before.Since.Before(d.Since) {
				d.Since = before.Since // what that put in doubt may not have been read again
			}
		}
		doubted[s] = d
	}
	*of = doubted
}

// Recent are the streams that are in doubt for so short that they are not tried again.
func (m *Memory) Recent(now time.Time) (first, again map[config.Stream]Doubt) {
	recent := func(doubted map[config.Stream]Doubt) map[config.Stream]Doubt {
		left := maps.Clone(doubted)
		maps.DeleteFunc(left, func(_ config.Stream, d Doubt) bool { return now.Sub(d.At) >= doubtedFor || d.At.Sub(now) > ahead })
		if !m.Lost.IsZero() && now.Sub(m.Lost) < doubtedFor && m.Lost.Sub(now) <= ahead {
			left = map[config.Stream]Doubt{}
			for _, s := range Streams() {
				left[s] = Doubt{At: m.Lost}
			}
		}
		return left
	}
	return recent(m.First), recent(m.Again)
}

// InDoubt says whether what a cursor remembers was read by one answer that may have
// been wrong: it has to be read again, from its endpoint.
func (m *Memory) InDoubt(c cursors.Cursor) bool {
	if c.JoinedAt.IsZero() {
		return false
	}
	if !m.Lost.IsZero() && c.JoinedAt.Sub(m.Lost) <= skew {
		return true
	}
	for _, doubted := range []map[config.Stream]Doubt{m.First, m.Again} {
		if d, is := doubted[config.Stream(c.Stream)]; is && c.JoinedAt.Sub(d.At) <= skew && d.Since.Sub(c.JoinedAt) <= skew {
			return true
		}
	}
	return false
}
