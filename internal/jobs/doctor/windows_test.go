package doctor

import (
	"strings"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
)

// lines are what the doctor says of a user, by what they are about.
func lines(t *testing.T, readings string, user int) map[string]Check {
	t.Helper()
	r, err := sandbox.ParseReadings(readings)
	if err != nil {
		t.Fatal(err)
	}
	sb := banktest.New(t, sandbox.Options{Users: 4, Readings: r})
	checks, err := Run(t.Context(), Options{Config: banktest.Config(t, t.TempDir()), Job: "nightly", User: sb.UserID(user), Transport: sb.Transport()})
	if err != nil {
		t.Fatalf("%s: %v: %+v", readings, err, checks)
	}
	found := map[string]Check{}
	for _, c := range checks {
		if _, twice := found[c.What]; !twice {
			found[c.What] = c
		}
	}
	return found
}

func TestTheDoctorTellsHowTransactionsMayBeAskedForInPart(t *testing.T) {
	t.Parallel()
	for reading, want := range map[string][]string{ // what: status saw
		"":                          {"windows: ok since is taken", "date of a window: ok compare the booking date", "transactions by id: ok taken", "total of categorization: ok is right"},
		"since_compares=value_date": {"windows: ok taken", "date of a window: note compare the value date"},
		"window=400":                {"windows: note since is refused", "transactions by id: ok taken", "transactions: ok /users", "date of a window: "},
		"window=403":                {"windows: note lastMonths is taken"},
		"window=416":                {"windows: note since is refused"},
		"window=old_400":            {"windows: ok taken", "date of a window: ok the booking date"},
		"window=ignored":            {"windows: note since is ignored", "date of a window: "},
		"by_id=ignored":             {"transactions by id: note not to be relied on", "windows: ok taken"},
		"by_id=400":                 {"transactions by id: note not to be relied on"},
		"by_id=404":                 {"transactions by id: note not to be relied on"},
		"transaction_ids=number":    {"transactions by id: ok taken"},
		"transaction_ids=shared":    {"transactions by id: ok taken", "date of a window: ok the booking date"},
		"total=high":                {"total of categorization: note tells of"},
		"total=zero":                {"total of categorization: note tells of 0"},
		"context=none":              {"total of categorization: note is not told"},
		"pending=undated":           {"windows: ok taken", "transactions by id: ok taken"},
	} {
		t.Run("with "+reading, func(t *testing.T) {
			t.Parallel()
			said := lines(t, reading, 0)
			for _, line := range want {
				what, rest, _ := strings.Cut(line, ": ")
				status, saw, _ := strings.Cut(rest, " ")
				if got := said[what]; string(got.Status) != status || !strings.Contains(got.Saw, saw) {
					t.Errorf("%s: %+v", line, got)
				}
			}
		})
	}
}

// A user of whom something cannot be told is one of whom the doctor says so.
func TestTheDoctorSaysWhatAUserCannotTell(t *testing.T) {
	t.Parallel()
	sb := banktest.New(t, sandbox.Options{Users: 2})
	same := another{RoundTripper: sb.Transport(), body: func(path, body string) string {
		if strings.HasSuffix(path, "/transactions") {
			return strings.ReplaceAll(body, `"valueDate"`, `"other"`)
		}
		return body
	}}
	few := another{RoundTripper: sb.Transport(), body: func(path, body string) string {
		if strings.HasSuffix(path, "/transactions") {
			return `[{"transactionId":"a,b","accountId":"a","bookingDate":"2026-11-01"}]`
		}
		return body
	}}
	none := another{RoundTripper: sb.Transport(), body: func(path, body string) string {
		if strings.HasSuffix(path, "/transactions") {
			return `[]`
		}
		return body
	}}
	for name, test := range map[string]struct {
		api  another
		what string
		saw  string
	}{
		"no date differs":              {same, "date of a window", "cannot be told with this user"},
		"few bookings":                 {few, "windows", "cannot be told with this user"},
		"one that cannot be asked for": {few, "transactions by id", "it takes two"},
		"no bookings":                  {none, "windows", "no transactions"},
	} {
		checks, err := Run(t.Context(), Options{Config: banktest.Config(t, t.TempDir()), Job: "nightly", User: sb.UserID(1), Transport: test.api})
		found := false
		for _, c := range checks {
			found = found || c.What == test.what && c.Status == CheckNote && strings.Contains(c.Saw, test.saw) && c.Do != ""
		}
		if !found || err != nil {
			t.Errorf("%s: %v, %+v", name, err, checks)
		}
	}
}
