package joined

import (
	"testing"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
)

func TestABodyUnderWayIsNotUsedAfterItsStreamDiffered(t *testing.T) {
	t.Parallel()
	trial := proven(t, Options{Mode: config.FirstJoined})
	under := trial.Ask(user(50, false), Streams()) // its body is on its way
	trial.Ask(user(51, true), Streams())
	doubtful, inDoubt := trial.Compared(Verdict{Compared: true, Differs: map[config.Stream][]string{config.StreamAccounts: {"iban"}}})
	if trial.Suits(finoos.JoinedSize{Accounts: 1, Transactions: 10, Largest: 10}, nil, under.Streams) {
		t.Errorf("accounts differ (%v), yet a body for %v is used; in doubt told: %d, report %+v", doubtful, under.Streams, inDoubt, trial.Report())
	}
}

func TestBodiesThatMostlyFailEnd(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"timeouts": &finoos.Error{Class: finoos.Timeout}, "empty": &finoos.NotJoinedError{Why: finoos.JoinedEmpty}} {
		trial := proven(t, Options{Mode: config.FirstAuto, Pulls: 100000})
		asked := 0
		for i := range 10000 {
			if trial.Ask(user(i, false), Streams()).Streams == nil {
				break
			}
			asked++
			if i%5 == 4 {
				trial.Used()
				continue
			}
			trial.Unusable(err, false)
		}
		if asked > 1000 {
			t.Errorf("%s: 4 of 5 bodies are wasted, and %d were asked for: %+v", name, asked, trial.Report())
		}
	}
}
