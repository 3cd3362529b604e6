package jobs

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
)

func TestReportTellsWhatThePacerLearned(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		stats finoos.Stats
		has   []string
		lacks []string
	}{
		{finoos.Stats{Rate: 19.5, LearnedLimit: 20.25}, []string{`"rate":19.5`, `"learned_limit":20.25`}, nil},
		{finoos.Stats{Rate: 20}, []string{`"rate":20`}, []string{"learned_limit"}},
	} {
		o := RunOptions{Now: func() time.Time { return now }}
		text, err := json.Marshal(newTally(&o, "run", nil).finish(now, tt.stats, 0, true, nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.has {
			if !strings.Contains(string(text), want) {
				t.Errorf("no %s in %s", want, text)
			}
		}
		for _, not := range tt.lacks {
			if strings.Contains(string(text), not) {
				t.Errorf("%s in %s", not, text)
			}
		}
	}
}
