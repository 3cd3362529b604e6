package jobs

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"finoos-syncer/internal/finoos/sandbox"
	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/joined"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/table"

	"github.com/google/go-cmp/cmp"
)

const (
	firstJoined   = "first: joined"
	firstSeparate = "first: separate"
	joinable      = "streams: [users, accounts, transactions, categorization]"
	oneByOne      = "concurrency: 1"
)

// brief is a bank of users whose past is short.
func brief(users int, readings string) sandbox.Options {
	o := banktest.Still(users)
	o.Past = 40
	var err error
	if o.Readings, err = sandbox.ParseReadings(readings); err != nil && readings != "" {
		panic(err)
	}
	return o
}

// standing is what stands in the lake of accounts, transactions and tags, by table and
// key, without what says of when and by whom it was written.
func (b *bank) standing() map[string]map[string]string {
	b.t.Helper()
	full, all := map[string]string{}, map[string]map[string]string{}
	for _, p := range b.rows("pulls") {
		if k := p["user_id"] + p["stream"]; p["outcome"] == "pulled" && p["mode"] == "full" && p["_extracted_at"] > full[k] {
			full[k] = p["_extracted_at"]
		}
	}
	for _, name := range []string{"accounts", "transactions", "categorization"} {
		newest := map[string]map[string]string{}
		for _, row := range b.rows(name) {
			var key []string
			for _, c := range table.ByName(name).Key {
				key = append(key, row[c])
			}
			k := strings.Join(key, " ")
			if was := newest[k]; row["_extracted_at"] >= full[row["user_id"]+name] && (was == nil || row["_extracted_at"] > was["_extracted_at"]) {
				newest[k] = row
			}
		}
		all[name] = map[string]string{}
		for k, row := range newest {
			if row["_op"] == "delete" {
				continue
			}
			for _, c := range []string{"_op", "_extracted_at", "_run_id", "_pull", "_correlation_id", "_correlation_at"} {
				delete(row, c)
			}
			row["_extra"] = inOrder(b.t, row["_extra"])
			all[name][k] = fmt.Sprint(row)
		}
	}
	return all
}

// inOrder is a JSON object with its members in order.
func inOrder(t *testing.T, text string) string {
	t.Helper()
	if !strings.HasPrefix(text, "{") {
		return text
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	ordered, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(ordered)
}

// separately is what stands in the lake of the same bank where nothing comes by one request.
func separately(b *bank, o sandbox.Options, nights int, lines ...string) map[string]map[string]string {
	b.t.Helper()
	other := newBank(b.t, o)
	for k := range nights {
		if k > 0 {
			other.Night()
		}
		other.run(append(slices.Clone(lines), firstSeparate)...)
	}
	return other.standing()
}

// sameLake says in what two lakes differ, by table.
func sameLake(want, got map[string]map[string]string) string {
	var differ strings.Builder
	for name := range want {
		n := 0
		for _, k := range slices.Sorted(maps.Keys(want[name])) {
			if want[name][k] != got[name][k] {
				if n++; n == 1 {
					fmt.Fprintf(&differ, "%s %s: %s\n", name, k, cmp.Diff(want[name][k], got[name][k]))
				}
			}
		}
		for k := range got[name] {
			if _, there := want[name][k]; !there {
				n++
			}
		}
		if n > 0 || len(want[name]) == 0 {
			fmt.Fprintf(&differ, "%d of %d rows of %s differ\n", n, len(want[name]), name)
		}
	}
	return differ.String()
}

// bodies counts the requests for one body in the last run.
func (b *bank) bodies() (n int) {
	for r := range b.requests() {
		if r.Operation == "categorization_transactions" {
			n++
		}
	}
	return n
}

func TestOneBodyLeavesTheSameLakeAsThreeEndpoints(t *testing.T) {
	t.Parallel()
	for _, readings := range []string{"joined=given", "joined=whole", "joined=whole,pending=undated", "joined=whole,dates=zoned", "joined=no_account_ids", "joined=whole,order=request", "joined=whole,transaction_ids=shared"} {
		t.Run(readings, func(t *testing.T) {
			t.Parallel()
			o := brief(45, readings)
			inBubble(t, o, func(b *bank) {
				t := b.t
				rep := b.run(joinable, firstJoined, oneByOne)
				f := rep.First
				if f == nil || f.Mode != "joined" || f.Joined < 15 || f.Compared != f.Equal || f.Compared < 20 || f.Differed+f.InDoubt+f.Unclear > 0 {
					t.Fatalf("%+v", f)
				}
				if n := b.bodies(); int64(n) != f.Joined+f.Compared+f.FellBack["empty"] {
					t.Errorf("%d bodies, %+v", n, f)
				}
				if diff := sameLake(separately(b, o, 1, joinable), b.standing()); diff != "" {
					t.Error(diff)
				}
				b.Night()
				if rep := b.run(joinable, firstJoined); rep.Users.Unchanged != 45 {
					t.Errorf("the next night: %+v", rep.Users)
				}
			})
		})
	}
}

func TestAUserOfOneBodyIsThreePullsAndOneRequest(t *testing.T) {
	t.Parallel()
	inBubble(t, brief(45, "joined=whole"), func(b *bank) {
		t := b.t
		b.run(joinable, firstJoined, oneByOne)
		pulls := map[string]map[string]map[string]string{}
		for _, p := range b.rows("pulls") {
			if pulls[p["user_id"]] == nil {
				pulls[p["user_id"]] = map[string]map[string]string{}
			}
			pulls[p["user_id"]][p["stream"]] = p
		}
		known, by := b.cursors(), 0
		for u := range 45 {
			asked, of := b.asked(u), pulls[b.UserID(u)]
			joinedAt := known[b.UserID(u)]["accounts"].JoinedAt
			if joinedAt.IsZero() == (asked["accounts"] == 0 && asked["categorization_transactions"] == 1) {
				t.Errorf("user %d: %v, joined at %v", u, asked, joinedAt)
			}
			if asked["accounts"] > 0 {
				continue
			}
			by++
			if diff := cmp.Diff(map[string]int{"correlation banking": 1, "correlation categorization": 1, "categorization_transactions": 1}, asked); diff != "" {
				t.Errorf("user %d: %s", u, diff)
			}
			for stream, requests := range map[string]string{"accounts": "3", "transactions": "0", "categorization": "0"} {
				if p := of[stream]; p["outcome"] != "pulled" || p["mode"] != "full" || p["requests"] != requests || (p["bytes"] == "0") != (requests == "0") {
					t.Errorf("user %d: %s is %v", u, stream, p)
				}
			}
		}
		if by < 15 {
			t.Errorf("%d users", by)
		}
	})
}

// TestWhatOneBodyLacksIsReadFromItsEndpoint has each way in which the sandbox's body may
// be another than the endpoints': the lake is as if there were none.
func TestWhatOneBodyLacksIsReadFromItsEndpoint(t *testing.T) {
	t.Parallel()
	for reading, without := range map[string]string{
		"entries": "transactions", "few_fields": "transactions", "few_account_fields": "accounts", "amounts_text": "transactions", "cents": "transactions",
		"recent": "transactions categorization", "lacks_booking": "transactions categorization", "no_tags": "transactions categorization", "404": "",
		"whole,types=object": "",
	} {
		t.Run(reading, func(t *testing.T) {
			t.Parallel()
			o := brief(45, "joined="+reading)
			inBubble(t, o, func(b *bank) {
				t := b.t
				rep := b.run(joinable, firstJoined, oneByOne)
				f := rep.First
				if f == nil {
					t.Fatal("nothing is said")
				}
				if got := strings.Join(slices.Sorted(maps.Keys(wordsOf(f))), " "); got != sorted(without) {
					t.Errorf("without %s, want %s: %+v", got, without, f)
				}
				two := strings.Count(without, " ") == 0 && without != ""
				if two != (f.Mode == "joined" && f.Joined > 10) || !two && (f.Mode != "separate" || f.Joined > 0 || f.Why == "") {
					t.Errorf("%+v", f)
				}
				if diff := sameLake(separately(b, o, 1, joinable), b.standing()); diff != "" {
					t.Error(diff)
				}
				if b.bodies() > 15 && !two {
					t.Errorf("%d bodies were asked for", b.bodies())
				}
			})
		})
	}
}

func wordsOf(f *report.First) map[string]bool {
	words := map[string]bool{}
	for s := range f.Without {
		words[string(s)] = true
	}
	return words
}

func sorted(words string) string {
	list := strings.Fields(words)
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestNightsOfOneBodyLeaveTheLakeOfThreeEndpoints(t *testing.T) {
	t.Parallel()
	o := brief(45, "joined=whole")
	o.Nightly.Analysed = 0.5
	lines := []string{joinable, "full_refresh_every: 48h"}
	inBubble(t, o, func(b *bank) {
		t := b.t
		var later int64
		for night := range 4 {
			if night > 0 {
				b.Night()
			}
			rep := b.run(append(slices.Clone(lines), firstJoined)...)
			if rep.First != nil != (night == 0) {
				t.Errorf("night %d: %+v", night, rep.First)
			}
			f := rep.FullAgain
			if f == nil {
				continue
			}
			later += f.Joined + f.Compared
			// Of the bank, old bookings keep their tags.
			if diff := cmp.Diff(map[config.Stream][]string{"transactions": {"tags"}}, f.Without); f.Without != nil && diff != "" {
				t.Errorf("night %d: %s", night, diff)
			}
		}
		if later == 0 {
			t.Error("no refresh was read in one body, or compared with it")
		}
		if diff := sameLake(separately(b, o, 4, lines...), b.standing()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOneBodyIsNotTriedForFewPulls(t *testing.T) {
	t.Parallel()
	for users, want := range map[int]bool{joined.EnoughFirst - 1: false, joined.EnoughFirst: true} {
		t.Run(strconv.Itoa(users), func(t *testing.T) {
			t.Parallel()
			o := brief(users, "joined=whole")
			o.Past = 5
			inBubble(t, o, func(b *bank) {
				t := b.t
				rep := b.run(joinable)
				if tried := b.bodies() > 0; tried != want || rep.First == nil || want != (rep.First.Joined > 0) {
					t.Errorf("%d bodies, %+v", b.bodies(), rep.First)
				}
			})
		})
	}
}

func TestNamedUsersAreNotTriedInOneBody(t *testing.T) {
	t.Parallel()
	inBubble(t, brief(3, "joined=whole"), func(b *bank) {
		o := b.options(b.config(joinable))
		o.Users = []string{b.UserID(0), b.UserID(1)}
		if _, err := b.try(b.t.Context(), o); err != nil || b.bodies() > 0 {
			b.t.Errorf("%v, %d bodies", err, b.bodies())
		}
	})
}

func TestServicesOfTwoAnalysesAreReadFromTheirEndpoints(t *testing.T) {
	t.Parallel()
	inBubble(t, brief(45, "joined=whole,correlation_ids=per_service"), func(b *bank) {
		rep := b.run(joinable, firstJoined)
		if rep.First != nil || b.bodies() > 0 {
			b.t.Errorf("%d bodies, %+v", b.bodies(), rep.First)
		}
	})
}
