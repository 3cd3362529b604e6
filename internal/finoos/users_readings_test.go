package finoos

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/finoos/sandbox"
)

// pagingReadings are those of the simulator that are about the list of users, but
// for the nights on which it lists fewer than there are, consistently.
func pagingReadings() map[string][]string {
	about := map[string][]string{}
	for _, r := range sandbox.AllReadings() {
		switch r.Name {
		case "first_page", "page_size", "paging", "context", "total", "token", "last_token", "end", "empty_page", "moving", "odd_users", "user_ids":
			about[r.Name] = r.Values
		}
	}
	return about
}

// Every reading is tried alone and with every other that is about pages: all
// users come, or the list says that it is not whole.
func TestAListIsWholeOrSaysThatItIsNot(t *testing.T) {
	t.Parallel()
	const users = 45
	about := pagingReadings()
	names := slices.Sorted(maps.Keys(about))
	tried, hidden, refused := 0, 0, map[string]int{}
	try := func(text string) {
		readings, err := sandbox.ParseReadings(text)
		if err != nil {
			t.Fatal(err)
		}
		bank, err := sandbox.New(sandbox.Options{Users: users, Seed: 5, PageSize: 7, Readings: readings})
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(Config{BaseURL: "http://bank.test", ClientID: "sandbox", ClientSecret: "sandbox", Transport: bank.Transport(), RetryMaxElapsed: -1})
		if err != nil {
			t.Fatal(err)
		}
		ids, extent, err := listed(t, c, 4)
		tried++
		missing := 0
		for i := range users {
			if !slices.Contains(ids, bank.UserID(i)) {
				missing++
			}
		}
		twice := len(ids) - len(slices.Compact(slices.Sorted(slices.Values(ids))))
		switch {
		case err != nil, twice > 0:
			t.Errorf("%s: %d users twice, %v", text, twice, err)
		case !extent.Whole:
			refused[extent.Reason]++
		case strings.Contains(text, "moving=remove"): // who leaves takes another along, and the total says that all are there
			hidden++
		case strings.Contains(text, "moving=reorder") && strings.Contains(text, "total=low"): // by chance nobody comes twice, and the total is refuted
			hidden++
		case missing > 0:
			t.Errorf("%s: %d users are missing, and the list calls itself whole: %+v", text, missing, extent)
		}
		if !strings.Contains(text, "odd_users=none") && strings.Contains(text, "odd_users=") != (extent.Aside > 0) {
			t.Errorf("%s: %d records were put aside", text, extent.Aside)
		}
	}
	for i, a := range names {
		for _, va := range about[a] {
			try(a + "=" + va)
			for _, b := range names[i+1:] {
				for _, vb := range about[b][1:] {
					try(fmt.Sprintf("%s=%s,%s=%s", a, va, b, vb))
				}
			}
		}
	}
	t.Logf("%d readings; not whole: %v", tried, refused)
	if tried < 1000 || hidden > 45 {
		t.Errorf("%d readings were tried; in %d somebody may hide", tried, hidden)
	}
}

// The list of a client with sixty thousand users, in pages of the documented size.
func TestSixtyThousandUsersAreListedInLessThanFiveMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := directory{pages: 3000, size: 20, countsFrom: 1, context: `{"page":PAGE,"pageSize":SIZE,"totalPages":ALL,"total":TOTAL}`}
		c, _ := setup(t, func(r *http.Request, n int) reply {
			answer := d.answer(r, n)
			answer.after = 200 * time.Millisecond
			return answer
		}, func(cfg *Config) { cfg.RequestsPerSecond = 100 })
		began := time.Now()
		ids, extent, err := listed(t, c, 16)
		if took := time.Since(began); len(ids) != 60_000 || !extent.Whole || err != nil || took > 5*time.Minute {
			t.Errorf("%d users, %+v, %v in %v", len(ids), extent, err, took)
		} else {
			t.Logf("%d users in %v", len(ids), took)
		}
	})
}
