package jobs

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
)

// pending puts a transaction without a date, and its tag, into every answer; and
// another of the same id behind it, if that is booked on a day.
func (b *bank) pending(booked string) http.RoundTripper {
	return via{nil, func(r *http.Request) (*http.Response, error) {
		resp, err := b.Sandbox.Transport().RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		id := "pending-of-" + strings.ReplaceAll(r.URL.Path[:strings.LastIndex(r.URL.Path, "/")+1], "/", "-")
		id = strings.TrimSuffix(id, "banking-")
		switch {
		case strings.HasSuffix(r.URL.Path, "/transactions"):
			return rewritten(resp, func(body []byte) []byte {
				rest, _ := bytes.CutPrefix(bytes.TrimSpace(body), []byte("["))
				if comma := ","; string(bytes.TrimSpace(rest)) != "]" {
					rest = append([]byte(comma), rest...)
				}
				both := fmt.Appendf(nil, `[{"transactionId":%q,"accountId":"a","amount":-1.50,"currency":"EUR"}`, id)
				if booked != "" {
					both = fmt.Appendf(both, `,{"transactionId":%q,"accountId":"a","amount":-1.50,"currency":"EUR","bookingDate":%q}`, id, booked)
				}
				return append(both, rest...)
			})
		case strings.HasSuffix(r.URL.Path, "/categorization"):
			return rewritten(resp, func(body []byte) []byte {
				return bytes.Replace(body, []byte("["), fmt.Appendf(nil, `[{"transactionId":%q,"accountId":"a","tags":["t"]},`, id), 1)
			})
		}
		return resp, nil
	}}
}

// TestATransactionWithoutADateComesWithARangeUpToThePresent looks at ranges that
// take several windows, each of which is answered with it.
func TestATransactionWithoutADateComesWithARangeUpToThePresent(t *testing.T) {
	t.Parallel()
	const users = 2
	for name, tc := range map[string]struct {
		until         string
		brought, left int64
		stopped       bool
		booked        string
	}{
		"up to today":                   {until: "", brought: users},
		"up to today, which is named":   {until: "2026-11-19", brought: users},
		"up to yesterday":               {until: "2026-11-18", left: users},
		"up to yesterday, and booked":   {until: "2026-11-18", brought: users, booked: "2026-05-05"},
		"up to a today that has passed": {until: "", brought: users, stopped: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(users), func(b *bank) {
				t := b.t
				const streams = "streams: [transactions, categorization]"
				b.transport = b.pending(tc.booked)
				o := b.backfillOptions("2026-01-10", streams)
				o.Until = tc.until
				if tc.stopped {
					b.misbehave(sandbox.Faults{Users: map[string]map[string]sandbox.UserFault{
						"0": {"transactions": {Kind: sandbox.Forbidden}, "categorization": {Kind: sandbox.Forbidden}},
						"1": {"transactions": {Kind: sandbox.Forbidden}, "categorization": {Kind: sandbox.Forbidden}},
					}})
					b.fillStops(ReasonTooManyFailed, o)
					b.misbehave(sandbox.Faults{})
					b.Night()
					b.Night()
					o.Now = b.options(b.config(streams)).Now
				}
				rep := b.fill(o)
				want := b.inRange("2026-01-10", rep.Backfill.Until)
				want = map[string]int64{"transactions": want["transactions"] + tc.brought, "categorization": want["categorization"] + tc.brought}
				if diff := cmp.Diff(want, b.brought(rep)); diff != "" {
					t.Errorf("rows (-want +brought):\n%s", diff)
				}
				if rep.Backfill.Undated != tc.left {
					t.Errorf("%d were left out, want %d", rep.Backfill.Undated, tc.left)
				}
				if n := b.asked(0)["transactions"]; n < 2 {
					t.Errorf("%d windows: what comes with each was not tried", n)
				}
			})
		})
	}
}
