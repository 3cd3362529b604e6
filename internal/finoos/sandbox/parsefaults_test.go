package sandbox

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFaultsAreParsed(t *testing.T) {
	t.Parallel()
	id := newUserIDs(1).id(7)
	got, err := ParseFaults("rate_limit=20,burst=4,retry_after=none, latency=50ms,error_rate=0.01,reset_rate=.02,truncate_rate=0.03,token_early=4m," +
		"end=204,shift=insert,down,refuse_reads=true,revoked=false,zero_pages,no_context," +
		"malformed=contracts:3,forbidden=account_history:3,deleted=4:10,never_analysed=" + id + ",not_found=correlation/contracts:5:2")
	if err != nil {
		t.Fatal(err)
	}
	want := Faults{
		RateLimit: 20, Burst: 4, RetryAfter: RetryNone, Latency: 50 * time.Millisecond, ErrorRate: 0.01, ResetRate: 0.02, TruncateRate: 0.03,
		TokenEarly: 4 * time.Minute, End: End204, Shift: ShiftInsert, Down: true, RefuseReads: true, ZeroPages: true, NoContext: true,
		Users: map[string]map[string]UserFault{
			"3": {"contracts": {Kind: Malformed}, "account_history": {Kind: Forbidden}},
			"4": {"*": {Kind: Deleted, After: 10}},
			id:  {"*": {Kind: NeverAnalysed}},
			"5": {"correlation/contracts": {Kind: NotFound, After: 2}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	if none, err := ParseFaults(""); err != nil || cmp.Diff(Faults{}, none) != "" {
		t.Errorf("no faults: %+v, %v", none, err)
	}
}

func TestWrongFaultsAreAllReported(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ratelimit=20":          `there is no "ratelimit"`,
		"rate_limit=fast":       "want a number",
		"error_rate=1.5":        "want a number from 0 to 1",
		"burst=-1":              "want a number of 0 or more",
		"latency=50":            "want a duration",
		"end=never":             "want one of [empty 204 404 repeat]",
		"down=perhaps":          "want true or false",
		"malformed=contracts":   "want operation:user",
		"malformed=cats:3":      `"cats" is neither`,
		"malformed=cats:3:x:y":  "want operation:user",
		"deleted=3:soon":        "want a number of 0 or more",
		"malformed=contracts:x": `"x" is neither`,
	} {
		_, err := ParseFaults("latency=1s," + text + ",bogus")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"bogus"`) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestEveryKindOfFaultCanBeWritten(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		f, err := ParseFaults(string(k) + "=*:2")
		if err != nil || f.Users["2"]["*"].Kind != k {
			t.Errorf("%s: %+v, %v", k, f, err)
		}
	}
}
