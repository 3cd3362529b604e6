package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// bodies is what is said of some users' accounts, transactions and tags: a text by the key
// of each record, as the separate endpoints have it, and as the one body does.
type bodies struct{ separate, joined map[string]string }

func readBodies(t *testing.T, r Readings, nights int) bodies {
	t.Helper()
	s, err := New(Options{Users: 12, Seed: 5, Past: 75, CategorizationPageSize: 10_000, Readings: r, Nightly: Odds{Analysed: 0.9, Gone: -1, Joined: -1}})
	if err != nil {
		t.Fatal(err)
	}
	for range nights {
		s.Night()
	}
	c := &client{T: t, s: s, http: &http.Client{Transport: s.Transport()}}
	c.token = s.token(0, time.Now().Add(tokenLife))
	b := bodies{map[string]string{}, map[string]string{}}
	for i := range 12 {
		b.add(tolerant{client: c}, s.UserID(i))
	}
	return b
}

func (b bodies) add(r tolerant, id string) {
	path := "/users/" + id
	accounts, _ := r.list(path+"/banking/accounts", "accounts")
	for _, acc := range accounts {
		b.separate[id+" account "+fmt.Sprint(fieldOf(acc, "accountId"))] = said(acc)
	}
	transactions, _ := r.list(path+"/banking/transactions", "")
	for _, tx := range transactions {
		b.separate[id+" transaction "+fmt.Sprint(fieldOf(tx, "accountId"), " ", fieldOf(tx, "transactionId"))] = said(tx)
	}
	entries, _ := r.list(path+"/categorization", "categorization")
	for _, e := range entries {
		b.separate[id+" tags "+fmt.Sprint(fieldOf(e, "accountId"), " ", fieldOf(e, "transactionId"))] = tagsSaid(e)
	}
	accounts, _ = r.list(path+"/categorization/transactions", "accounts")
	for _, acc := range accounts {
		of := as[[]any](acc["transactions"])
		delete(acc, "transactions")
		b.joined[id+" account "+fmt.Sprint(fieldOf(acc, "accountId"))] = said(acc)
		for _, e := range of {
			tx := as[map[string]any](e)
			key := fmt.Sprint(fieldOf(tx, "accountId"), " ", fieldOf(tx, "transactionId"))
			b.joined[id+" transaction "+key] = said(tx)
			b.joined[id+" tags "+key] = tagsSaid(tx)
		}
	}
}

func fieldOf(rec map[string]any, name string) any {
	_, v := find(rec, name)
	return v
}

func tagsSaid(rec map[string]any) string {
	list, _ := fieldOf(rec, "tags").([]any)
	tags := labels(list)
	slices.Sort(tags)
	return strings.Join(tags, ",")
}

// said is a record as one text.
func said(rec map[string]any) string {
	text, err := json.Marshal(rec)
	if err != nil {
		panic(err) // it was JSON
	}
	return string(text)
}

// differing is what the one body says otherwise, lacks, or has beyond.
func (b bodies) differing() (all []string) {
	for key, text := range b.separate {
		if b.joined[key] != text {
			all = append(all, key+": "+cmp.Diff(text, b.joined[key]))
		}
	}
	for key := range b.joined {
		if _, there := b.separate[key]; !there {
			all = append(all, key)
		}
	}
	return all
}

func TestTheOneBodySaysWhatTheSeparateEndpointsSay(t *testing.T) {
	t.Parallel()
	for _, beside := range []string{"", "dates=zoned", "amounts=float", "texts=nul", "types=object", "transaction_ids=shared", "transaction_ids=number", "pending=undated", "order=nightly"} {
		t.Run(beside, func(t *testing.T) {
			t.Parallel()
			b := readBodies(t, parsed(t, "joined=whole,"+beside), 0)
			if d := b.differing(); len(d) > 0 || len(b.separate) < 500 {
				t.Errorf("%d of %d differ, such as %s", len(d), len(b.separate), strings.Join(d[:min(len(d), 1)], ""))
			}
		})
	}
}

// The records that differ where the one body is odd: of which kind, for how many of
// twelve users at least and at most.
func TestTheOneBodyDiffersInWhatItsReadingNames(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]struct {
		kinds       string
		least, most int
		nights      int
	}{
		"given": {"transaction", 1, 12, 0}, "entries": {"transaction", 12, 12, 0}, "few_fields": {"transaction", 12, 12, 0},
		"few_account_fields": {"account", 12, 12, 0}, "no_account_ids": {"tags transaction", 12, 12, 0},
		"no_tags": {"tags transaction", 1, 8, 0}, "bank_tags": {"tags", 1, 12, 3}, "lacks_booking": {"tags transaction", 1, 8, 0},
		"lacks_account": {"account", 1, 12, 0}, "recent": {"tags transaction", 12, 12, 0}, "amounts_text": {"transaction", 12, 12, 0},
		"cents": {"transaction", 12, 12, 0}, "behind": {"account tags transaction", 1, 8, 0}, "404": {"account tags transaction", 12, 12, 0},
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			users, kinds := map[string]bool{}, map[string]bool{}
			for _, d := range readBodies(t, parsed(t, "joined="+value), want.nights).differing() {
				of := strings.Fields(d)
				users[of[0]], kinds[strings.TrimSuffix(of[1], "s")] = true, true
			}
			got := strings.Join(slices.Sorted(maps.Keys(kinds)), " ")
			if got != strings.ReplaceAll(want.kinds, "tags", "tag") || len(users) < want.least || len(users) > want.most {
				t.Errorf("%d users, %s differ; want %+v", len(users), got, want)
			}
		})
	}
}
