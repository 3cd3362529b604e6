package jobs

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/cursors"
)

// Banking was asked (a bank was about to be asked) and has moved; the one has not: accounts are "not asked".
func TestWhatABankThatIsAskedShowsIsPulled(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(12), func(b *bank) {
		t := b.t
		b.light()
		var on atomic.Bool
		at := b.Now().Format(time.RFC3339)
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			_, rest := pathOf(r)
			switch {
			case rest == "banking/logins" && on.Load():
				return answers(r, 200, `[{"bankLoginId":"new","status":"OK","active":false,"lastSynchronization":"2020-01-01T00:00:00Z"}]`), nil
			case rest == "banking/logins":
				return answers(r, 200, `[]`), nil
			case rest == "banking/correlation" && on.Load():
				return answers(r, 200, `{"correlationID":"moved","correlationTimestamp":"`+at+`"}`), nil
			case rest == "banking/sync":
				return answers(r, 400, `{"type":"credentials_required","message":"x"}`), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		lines := []string{oneService, "streams: [accounts, contracts]", "sync: {when: stale, user_ip: 203.0.113.7, stale_after: 50h, settle_timeout: 1s}", lenient}
		b.run(lines...)
		on.Store(true)
		watch := b.watchCorrelations()
		for n := range 7 {
			b.Night()
			b.run(lines...)
			cs := b.cursors()
			for u := range 12 {
				c := cs[b.UserID(u)]
				if got := watch(u); got == "banking contracts" && c[config.StreamAccounts].CorrelationID != "moved" {
					t.Errorf("night %d user %d: asked of %s, banking showed moved, accounts stay of %s", n, u, got, c[config.StreamAccounts].CorrelationID)
				}
			}
		}
	})
}

// One service is down for weeks, many users in a bucket: who is due is passed over, the
// bucket counts as not reached, and everybody is due more and more.
func TestALongOutageOfOneServiceCostsNoAuditOfAll(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(40000), func(b *bank) {
		t := b.t
		b.light()
		town := newTown(b)
		light := b.transport
		var users []int
		for u := 0; u < 40000 && len(users) < 130; u++ {
			if cursors.BucketOf(b.UserID(u)) == 7 {
				users = append(users, u)
			}
		}
		town.are(users...)
		b.transport = via{light, func(r *http.Request) (*http.Response, error) {
			empty := map[string]string{
				"banking/accounts": `{"accounts":[]}`, "banking/transactions": `[]`, "categorization": `{"categorization":[]}`,
				"contracts": `[]`, "account-history": `{"histories":[]}`,
			}
			if body, ok := empty[pathBelow(r)]; ok {
				return answers(r, 200, body), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		lines := []string{oneService, "streams: [users, bank_logins, accounts, categorization, contracts]"}
		b.run(lines...)
		b.Night()
		b.fail(outages["503"], func(_, rest string) bool { return rest == "contracts/correlation" })
		var audited, logins, one []int64
		for range 20 {
			rep, _ := b.try(t.Context(), b.options(b.config(lines...)))
			audited, one = append(audited, rep.Probe.Audited), append(one, rep.Probe.AskedOne)
			logins = append(logins, rep.RequestsByOperation["logins"])
			b.Night()
		}
		t.Logf("%d users; audited %v; asked one %v; logins %v", len(users), audited, one, logins)
		if logins[19] > int64(len(users))/2 {
			t.Errorf("on the twentieth night of an outage of contracts the logins of %d of %d users are read, %d audited", logins[19], len(users), audited[19])
		}
	})
}

func TestTheReportOfARunInFullDoesNotSayOne(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(3), func(b *bank) {
		t := b.t
		b.run(oneService)
		o := b.options(b.config(oneService))
		o.Full = true
		rep, _ := b.try(t.Context(), o)
		if rep.Probe != nil && rep.Probe.Mode == config.ProbeOne {
			t.Errorf("%s; %d correlations", rep.Probe.Text(), rep.RequestsByOperation["correlation"])
		}
	})
}
