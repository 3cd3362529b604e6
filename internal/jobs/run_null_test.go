package jobs

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
)

// nulls is a bank that answers some users for their contracts with null, which a
// new analysis is told of every night.
type nulls struct {
	*bank
	night int
	as    string              // how null is written
	of    func(user int) bool // who is answered so
	empty func(user int) bool // who has none, and is told []
}

func nullsOf(b *bank, as string) *nulls {
	nobody := func(int) bool { return false }
	n := &nulls{bank: b, as: as, of: nobody, empty: nobody}
	number := map[string]int{}
	for i := range 200 {
		number[b.UserID(i)] = i
	}
	b.light()
	b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
		user, rest := below(r)
		i := number[user]
		switch {
		case rest == "contracts/correlation":
			return answers(r, 200, fmt.Sprintf(`{"correlationID":"c-%d","correlationTimestamp":"2026-01-01T00:00:00Z"}`, n.night)), nil
		case rest != "contracts":
			return nil, nil //nolint:nilnil // goes on
		case n.of(i):
			return answers(r, 200, n.as), nil
		case n.empty(i):
			return answers(r, 200, `[]`), nil
		}
		return answers(r, 200, `[{"contractId":"x"},{"contractId":"y"}]`), nil
	}}
	return n
}

// tonight runs a night of these, and counts the contracts of the lake afterwards.
func (n *nulls) tonight(of func(user int) bool, lines ...string) (s *report.Stream, reason Reason, left int) {
	n.t.Helper()
	n.night++
	n.of = of
	return n.again(lines...)
}

func (n *nulls) again(lines ...string) (s *report.Stream, reason Reason, left int) {
	n.t.Helper()
	n.Night()
	rep, err := n.try(n.t.Context(), n.options(n.config(append([]string{few}, lines...)...)))
	reason, failed := ReasonOf(err)
	if !failed {
		reason = -1
	}
	at := map[string]string{}
	for _, row := range n.rows("contracts") {
		at[row["user_id"]+row["contract_id"]] = row["_op"]
	}
	for _, op := range at {
		if op != "delete" {
			left++
		}
	}
	return rep.Streams[config.StreamContracts], reason, left
}

func everybody(int) bool { return true }

func only(users ...int) func(int) bool { return func(i int) bool { return slices.Contains(users, i) } }

var nullsWritten = []string{"null", "{}", "", `{"contracts":null}`, `{"context":{},"contracts":null}`}

func TestNullInAListsPlaceIsAFailureOnceAndThenEmpty(t *testing.T) {
	t.Parallel()
	for _, as := range nullsWritten {
		t.Run(fmt.Sprintf("as %q", as), func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(6), func(b *bank) {
				t, n := b.t, nullsOf(b, as)
				n.empty = only(5)
				if s, _, left := n.tonight(only(4)); s.Failed > 0 || left != 8 {
					t.Errorf("where nothing is known: %+v, %d left", s, left)
				}
				if s, _, left := n.tonight(only(4, 5)); s.Failed > 0 || left != 8 {
					t.Errorf("where none is known: %+v, %d left", s, left)
				}
				if s, reason, left := n.tonight(only(1, 4, 5)); s.Failed != 1 || left != 8 || reason != ReasonTooManyFailed {
					t.Errorf("the first night: %+v, %d, %d left", s, reason, left)
				}
				c := b.cursors()[b.UserID(1)][config.StreamContracts]
				if c.ErrorClass != "null_list" || c.Failures != 1 || len(c.State) == 0 || c.CorrelationID != "c-2" {
					t.Errorf("remembered: %+v", c)
				}
				if s, reason, left := n.again(); s.Failed > 0 || s.Deletes != 2 || left != 6 || reason != -1 {
					t.Errorf("the second night: %+v, %d, %d left", s, reason, left)
				}
				if s, reason, left := n.tonight(only(1, 4, 5)); s.Failed > 0 || left != 6 || reason != -1 {
					t.Errorf("ever after: %+v, %d, %d left", s, reason, left)
				}
				for _, row := range b.rows("pulls") {
					if row["outcome"] == "failed" && row["error_class"] != "malformed" {
						t.Errorf("%v", row)
					}
				}
			})
		})
	}
}

func TestNullThatIsOverTheNextNightDeletesNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(6), func(b *bank) {
		t, n := b.t, nullsOf(b, "null")
		n.tonight(only())
		n.tonight(only(2))
		if s, reason, left := n.again(); s.Failed > 0 || left != 10 || reason != -1 {
			t.Fatalf("%+v, %d, %d left", s, reason, left) // so that the next is worth something
		}
		n.tonight(only())
		n.tonight(only(3))
		n.of = only()
		if s, reason, left := n.again(); s.Failed > 0 || left != 12 || reason != -1 {
			t.Errorf("%+v, %d, %d left", s, reason, left)
		}
		n.tonight(only(3))
		if _, _, left := n.tonight(only()); left != 12 {
			t.Errorf("it is counted from the night before: %d left", left)
		}
	})
}

// What null has made of a list is wrong if it meant an outage: it is looked at again
// although nothing changes any more.
func TestWhatNullHasEmptiedIsLookedAtAgainWithinAPeriod(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(4), func(b *bank) {
		t, n := b.t, nullsOf(b, "null")
		const weekly = "full_refresh_every: 168h"
		n.tonight(only(), weekly)
		n.tonight(only(1), weekly)
		if _, _, left := n.again(weekly); left != 6 {
			t.Fatalf("%d left", left)
		}
		n.of = only()
		left := 0
		for range 8 {
			_, _, left = n.again(weekly)
		}
		if left != 8 {
			t.Errorf("%d left after a period", left)
		}
	})
}

func TestAnOutageThatAnswersNullDeletesNothingHoweverLong(t *testing.T) {
	t.Parallel()
	for _, as := range nullsWritten {
		for _, users := range []int{3, 5, 45} {
			t.Run(fmt.Sprintf("as %q, %d", as, users), func(t *testing.T) {
				t.Parallel()
				inBubble(t, banktest.Still(users), func(b *bank) {
					t, n := b.t, nullsOf(b, as)
					// Those who never had any are told so by the same null, and prove nothing.
					n.empty = func(i int) bool { return users > 10 && i%2 == 0 }
					_, _, all := n.tonight(only())
					for night := range 4 {
						if s, reason, left := n.tonight(everybody); left != all || reason != ReasonPartial || s.Failed > 0 {
							t.Errorf("night %d: %+v, %d, %d of %d left", night, s, reason, left, all)
						}
					}
					if s, reason, left := n.tonight(only()); left != all || reason != -1 || s.Pulled != int64(users) {
						t.Errorf("over: %+v, %d, %d of %d left", s, reason, left, all)
					}
				})
			})
		}
	}
}

// Those who are reached before it begins are answered, so that the others seem to
// be alone with it that night.
func TestAnOutageOfNullThatBeginsWithinARunDeletesNothing(t *testing.T) {
	t.Parallel()
	for _, users := range []int{6, 60} {
		t.Run(strconv.Itoa(users), func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(users), func(b *bank) {
				t, n := b.t, nullsOf(b, "null")
				_, _, all := n.tonight(only())
				asked := 0
				s, _, left := n.tonight(func(int) bool { asked++; return asked > users/3 }, "concurrency: 1", lenient)
				if left != all {
					t.Errorf("the first night: %+v, %d of %d left", s, left, all)
				}
				for range 2 {
					if s, reason, left := n.tonight(everybody); left != all || reason != ReasonPartial {
						t.Errorf("the next: %+v, %d, %d of %d left", s, reason, left, all)
					}
				}
			})
		})
	}
}

// Nobody else is asked that night: who was answered before is, to tell an outage
// from a list that is empty.
func TestNullForTheOnlyOneWhoChangedIsComparedWithOthers(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]bool{"others are answered": false, "others are not": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(5), func(b *bank) {
				t, n := b.t, nullsOf(b, "null")
				n.tonight(only())
				b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
					if user, rest := below(r); rest == "contracts/correlation" && user != b.UserID(2) {
						return answers(r, 200, `{"correlationID":"c-1","correlationTimestamp":"2026-01-01T00:00:00Z"}`), nil
					}
					return nil, nil //nolint:nilnil // goes on
				}}
				who := only(2)
				if down {
					who = everybody
				}
				n.tonight(who, lenient)
				want := 8
				if down {
					want = 10
				}
				if s, _, left := n.again(lenient); left != want {
					t.Errorf("%+v, %d left, want %d", s, left, want)
				}
			})
		})
	}
}

func TestNullForTheOnlyUserIsBelievedTheSecondTime(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(1), func(b *bank) {
		t, n := b.t, nullsOf(b, "{}")
		n.tonight(only())
		if s, _, left := n.tonight(everybody); s.Failed != 1 || left != 2 {
			t.Errorf("%+v, %d left", s, left)
		}
		if s, reason, left := n.again(); s.Failed > 0 || left != 0 || reason != -1 {
			t.Errorf("%+v, %d, %d left", s, reason, left)
		}
	})
}

func TestAListThatIsShorterThanItTellsIsReadOnceMore(t *testing.T) {
	t.Parallel()
	for name, whole := range map[string]int{"whole then": 2, "short again": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Still(5), func(b *bank) {
				t, n := b.t, nullsOf(b, "null")
				n.tonight(only())
				asked := 0
				b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
					user, rest := below(r)
					if rest != "contracts" {
						return nil, nil //nolint:nilnil // goes on
					}
					list := `{"contractId":"x"},{"contractId":"y"}`
					if user == b.UserID(4) {
						if asked++; asked < whole {
							list = `{"contractId":"x"}`
						}
					}
					return answers(r, 200, `{"contracts":[`+list+`],"metaData":{"total":2}}`), nil
				}}
				b.slow(4, "contracts", time.Second) // the others are answered first
				s, _, left := n.tonight(only(), lenient)
				if failed := int64(whole - 2); left != 10 || s.Failed != failed || asked != 2 {
					t.Errorf("%+v, %d left, asked %d times", s, left, asked)
				}
			})
		})
	}
}

func TestATotalThatIsNeverRightIsAWarning(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(5), func(b *bank) {
		t := b.t
		nullsOf(b, "null")
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			if _, rest := below(r); rest == "contracts" {
				return answers(r, 200, `{"contracts":[{"contractId":"x"}],"metaData":{"total":7}}`), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		if rep := b.run(few); rep.TotalsOff["contracts"] != 5 || rep.Streams[config.StreamContracts].Pulled != 5 {
			t.Errorf("%v", rep.TotalsOff)
		}
	})
}

// A diff is empty as a rule, and null says so every night. A full read is another
// matter, unless there never was a tag.
func TestADiffThatIsNullIsEmpty(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Steady(3), func(b *bank) {
		t := b.t
		b.light()
		null := false
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			user, rest := below(r)
			switch {
			case rest != "categorization":
				return nil, nil //nolint:nilnil // goes on
			case null || user == b.UserID(2):
				return answers(r, 200, `{"categorization":null,"metaData":{}}`), nil
			}
			return answers(r, 200, `{"categorization":[{"transactionId":"x","tags":["a"]}]}`), nil
		}}
		const tags = "streams: [categorization]"
		b.run(tags)
		null = true
		for night := range 3 {
			b.Night()
			if s := b.run(tags).Streams[config.StreamCategorization]; s.Pulled != 3 {
				t.Errorf("night %d: %+v", night, s)
			}
		}
		full := b.options(b.config(tags, lenient))
		full.Full = true
		if s, _ := b.try(t.Context(), full); s.Streams[config.StreamCategorization].Failed != 2 {
			t.Errorf("read in full: %+v", s.Streams[config.StreamCategorization])
		}
	})
}

// The same list serves the sync sessions: that it may say there that nobody is to be
// asked for must not make it an empty one for the stream.
func TestLoginsThatAreNullDeleteNothingWhereBanksAreSynchronised(t *testing.T) {
	t.Parallel()
	inBubble(t, banktest.Still(5), func(b *bank) {
		t, null := b.t, false
		b.transport = via{b.transport, func(r *http.Request) (*http.Response, error) {
			if user, rest := below(r); null && user == b.UserID(1) && rest == "banking/logins" {
				return answers(r, 200, "null"), nil
			}
			return nil, nil //nolint:nilnil // goes on
		}}
		lines := []string{"streams: [bank_logins]", "sync: {when: stale, user_ip: 203.0.113.7, settle_timeout: 7s}", lenient}
		b.run(lines...)
		null = true
		b.Night()
		rep := b.run(lines...)
		if s := rep.Streams[config.StreamBankLogins]; s.Failed != 1 || s.Deletes != 0 {
			t.Errorf("%+v", s)
		}
		if len(b.rows("bank_logins")) == 0 {
			t.Error("there are no logins: nothing is shown")
		}
	})
}
