package jobs

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/banksync"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/bucket"
)

// dying is a store whose process is killed when the first upload of a commit is to be
// completed; that of the self-test is none.
type dying struct{ *killable }

func (d dying) CompleteUpload(ctx context.Context, u bucket.Upload, parts []bucket.Part) error {
	if strings.Contains(u.Key, "/selftest/") {
		return d.killable.CompleteUpload(ctx, u, parts)
	}
	d.dead.Store(true)
	return errKilled
}

// loses is a night that is committed, and of which nothing is published any more: the
// process is killed, and an upload of a table is removed.
func (b *bank) loses(table string, lines ...string) *sink.Record {
	b.t.Helper()
	k := &killable{}
	k.left.Store(-1)
	b.wrap = func(s bucket.Store) bucket.Store { k.Store = s; return dying{k} }
	_, err := b.try(b.t.Context(), b.options(b.config(lines...)))
	if b.wrap = nil; !k.dead.Load() {
		b.t.Fatalf("not killed: %v", err)
	}
	b.expire()
	var last *sink.Record
	for r, err := range sink.ReadLog(b.t.Context(), b.store(), "nightly", 0) {
		if err != nil {
			b.t.Fatal(err)
		}
		if len(r.Files) > 0 {
			last = r
		}
	}
	lost := false
	for _, f := range last.Files {
		if f.Table == table {
			lost = true
			if err := b.store().AbortUpload(b.t.Context(), f.Upload.Upload); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	if !lost || last.Published {
		b.t.Fatalf("record %d has no upload of %s to lose", last.Seq, table)
	}
	return last
}

// seen reads the rows of a table that anybody can see, as text by column.
func (b *bank) seen(table string) (found []map[string]string) {
	b.t.Helper()
	for info, err := range b.store().List(b.t.Context(), table+"/", "") {
		if err != nil {
			b.t.Fatal(err)
		}
		body, _, err := b.store().Get(b.t.Context(), info.Key)
		if err != nil {
			b.t.Fatal(err)
		}
		found = append(found, namedRows(b.t, body)...)
	}
	return found
}

// daily answers for the balances of every user: one account, the days that are told.
func (b *bank) daily(days ...string) http.RoundTripper {
	points := make([]string, len(days))
	for i, d := range days {
		points[i] = fmt.Sprintf(`{"date":%q,"balance":%d.5}`, d, i+1)
	}
	body := `{"histories":[{"accountId":"acc","currency":"EUR","balances":[` + strings.Join(points, ",") + `]}]}`
	return via{b.Transport(), func(r *http.Request) (*http.Response, error) {
		if pathBelow(r) == "account-history" {
			return answers(r, http.StatusOK, body), nil
		}
		return nil, nil //nolint:nilnil // goes on
	}}
}

// currentDays are the days of a user that the current state of account_history has.
func (b *bank) currentDays(user string) (days []string) {
	newest := map[string]map[string]string{}
	for _, row := range b.seen("account_history") {
		if row["user_id"] != user {
			continue
		}
		if last, ok := newest[row["date"]]; !ok || row["_extracted_at"] > last["_extracted_at"] {
			newest[row["date"]] = row
		}
	}
	for day, row := range newest {
		if row["_op"] == "upsert" {
			days = append(days, day)
		}
	}
	slices.Sort(days)
	return days
}

// TestDaysWhoseDeletionWasTakenBackAreDeletedAgain: a day vanishes on the night whose
// commit is lost, and the clock is put back after it.
func TestDaysWhoseDeletionWasTakenBackAreDeletedAgain(t *testing.T) {
	t.Parallel()
	const job = "streams: [users, contracts, account_history]"
	inBubble(t, banktest.Steady(3), func(b *bank) {
		t := b.t
		b.transport = b.daily("2026-10-01", "2026-10-02", "2026-10-03", "2026-10-04")
		b.run(job)
		first := b.cursors()
		b.Night()
		b.transport = b.daily("2026-10-01", "2026-10-03", "2026-10-04")
		b.loses("pulls", job)
		lost := b.Now()
		b.now = func() time.Time { return lost.AddDate(0, 0, -3) }
		b.run(job)
		for user, streams := range first {
			want := []string{"2026-10-01", "2026-10-03", "2026-10-04"}
			if got := b.currentDays(user); !slices.Equal(got, want) {
				t.Errorf("days of %s: %v, want %v", user, got, want)
			}
			for _, row := range b.seen("account_history") {
				if row["user_id"] == user && row["_op"] == "delete" && row["_extracted_at"] <= printedTime(lost.Add(-time.Hour)) {
					t.Errorf("%s: deleted at %s, though the lost night was at %s", user, row["_extracted_at"], lost)
				}
			}
			now := b.cursors()[user]
			if is, was := now[config.StreamUsers].FirstSeenAt, streams[config.StreamUsers].FirstSeenAt; !is.Equal(was) || is.IsZero() {
				t.Errorf("%s: first seen at %s, was %s", user, is, was)
			}
			for s, c := range now {
				if c.Erased {
					t.Errorf("%s of %s is still erased", s, user)
				}
			}
		}
	})
}

// TestSessionsThatWereTakenBackAreRowsAgain: what came of each is remembered, and no
// bank is asked again; which row it was is known by the notes.
func TestSessionsThatWereTakenBackAreRowsAgain(t *testing.T) {
	t.Parallel()
	for _, table := range []string{"pulls", "sync_sessions"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Steady(4), func(b *bank) {
				t := b.t
				const stale = "sync: {when: stale, user_ip: 203.0.113.7, settle_timeout: 61s}"
				asked := b.countPosts(nil)
				b.loses(table, askingAll, "streams: [contracts]")
				first := asked.take()
				if len(first) == 0 || len(b.notes()) == 0 {
					t.Fatalf("%d banks were asked, %d notes", len(first), len(b.notes()))
				}
				b.run(stale, "streams: [contracts]")
				again := asked.take()
				for login := range first {
					if again[login] > 0 {
						t.Errorf("asked again: %s", login)
					}
				}
				rows := b.seen("sync_sessions")
				memory := b.remembered()
				if len(rows) != total(first)+total(again) {
					t.Errorf("%d rows of %d sessions and %d", len(rows), total(first), total(again))
				}
				synced := 0
				for _, row := range rows {
					if row["outcome"] == string(finoos.Synced) {
						synced++
					}
					if m := memory[row["bank_login_id"]]; string(m.Outcome) != row["outcome"] || row["requested_at"] == "" {
						t.Errorf("row %v, remembered %+v", row, m)
					}
				}
				if synced == 0 {
					t.Error("of no session it is known what came of it")
				}
				if left := b.notes(); len(left) > 0 {
					t.Errorf("left over: %v", left)
				}
			})
		})
	}
}

// TestThatALoginWaitsForItsUserIsWrittenAgain: nobody was asked for that.
func TestThatALoginWaitsForItsUserIsWrittenAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(2), func(b *bank) {
		t := b.t
		b.transport = via{b.Transport(), func(r *http.Request) (*http.Response, error) {
			if user, rest := below(r); rest == "banking/logins" {
				return answers(r, http.StatusOK, `{"bankLogins":[{"bankLoginId":"l-`+user+`","status":"`+banksync.StatusSCARequired+`"}]}`), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		b.loses("pulls", askingAll, "streams: [users, contracts]")
		b.run(askingAll, "streams: [users, contracts]")
		waits := 0
		for _, row := range b.seen("sync_sessions") {
			if row["outcome"] == string(finoos.SCARequired) {
				waits++
			}
		}
		if waits != 2 {
			t.Errorf("%d rows, want one of each login", waits)
		}
	})
}

// TestAMarkThatWasTakenBackDeclaresNobodyGone: users are missing, are there again on the
// night whose commit is lost, and missing once more: since that night and no longer.
func TestAMarkThatWasTakenBackDeclaresNobodyGone(t *testing.T) {
	t.Parallel()
	const job = "streams: [users, contracts]"
	inBubble(t, banktest.Steady(20), func(b *bank) {
		t, at := b.t, newTown(b)
		at.are(upTo(20)...)
		b.run(job)
		b.Night()
		at.are(upTo(14)...)
		b.run(job)
		if b.marks() != 6 {
			t.Fatalf("%d marks", b.marks())
		}
		b.Night()
		at.are(upTo(20)...)
		b.loses("pulls", job)
		b.Night()
		at.are(upTo(14)...)
		if rep := b.run(job); rep.Users.Gone != 0 || rep.Users.Missing != 6 || b.marks() != 6 {
			t.Errorf("%d are gone, %d missing, %d marks", rep.Users.Gone, rep.Users.Missing, b.marks())
		}
		b.Night()
		if rep := b.run(job); rep.Users.Gone != 6 {
			t.Errorf("%d are gone the night after", rep.Users.Gone)
		}
	})
}
