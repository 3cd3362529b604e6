package jobs

import (
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
)

// One stream in quarantine under one: all else still comes, on the night that it moves.
func TestQuarantineUnderOne(t *testing.T) {
	t.Parallel()
	o := banktest.Steady(3)
	o.Faults = faultOf(0, "contracts", sandbox.Rejected)
	inBubble(t, o, func(b *bank) {
		t := b.t
		lines := []string{oneService, lenient, "failures: {max_ratio: 1, quarantine_after: 2}"}
		lines = append(lines[:1], lines[2:]...)
		for n := range 12 {
			rep := b.run(lines...)
			c := b.cursors()[b.UserID(0)]
			if a, h := c[config.StreamAccounts].CorrelationID, c[config.StreamAccountHistory].CorrelationID; a != h || a != b.cursors()[b.UserID(0)][config.StreamTransactions].CorrelationID {
				t.Errorf("night %d: %s %s", n, a, h)
			}
			if other := b.cursors()[b.UserID(1)][config.StreamContracts].PulledAt; c[config.StreamAccounts].PulledAt.Day() != other.Day() {
				t.Errorf("night %d: accounts of the failing user pulled %s, others %s; %+v", n, c[config.StreamAccounts].PulledAt, other, rep.Probe)
			}
			b.Night()
		}
	})
}
