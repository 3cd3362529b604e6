package pull

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"finoos-syncer/internal/jobs/config"
)

// hall is a random bank: for each table some records, of which several have one
// key, or parts of one.
type hall struct {
	*rand.Rand

	stream  config.Stream
	records []record
	probe   *lake // of one record at a time
}

var (
	someIDs    = []string{"a", "b", "c", "d"}
	currencies = []any{"EUR", "USD", "", nil}
)

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// more adds random records.
func (h *hall) more(n int) {
	for range n {
		account, of, words := pick(h.Rand, someIDs), pick(h.Rand, someIDs), fmt.Sprint("w", h.IntN(3))
		date := thatNight.AddDate(0, 0, -h.IntN(6)).Format(time.DateOnly)
		var rec record
		switch h.stream {
		case config.StreamAccounts:
			rec = record{"accountId": account, "owner": words, "odd": h.IntN(2)}
		case config.StreamBankLogins:
			rec = record{"bankLoginId": account, "status": words}
		case config.StreamContracts:
			rec = record{"contractId": account, "category": words, "odd": words}
		case config.StreamTransactions:
			rec = record{"accountId": account, "transactionId": of, "bookingDate": date, "purpose": words}
			if h.IntN(5) == 0 {
				delete(rec, "bookingDate")
			}
		case config.StreamCategorization:
			rec = record{"accountId": account, "transactionId": of, "tags": []string{words, "w1"}}
			if h.IntN(4) == 0 {
				delete(rec, "accountId")
			}
			if h.IntN(4) == 0 {
				rec["odd"] = words
			}
		default:
			rec = record{"accountId": account, "currency": pick(h.Rand, currencies)}
			var days []record
			for range h.IntN(12) {
				days = append(days, record{"date": thatNight.AddDate(0, 0, -h.IntN(70)).Format(time.DateOnly), "balance": h.IntN(3)})
			}
			rec["balances"] = days
		}
		h.records = append(h.records, rec)
	}
}

// shuffle answers the same in another order, also within records.
func (h *hall) shuffle() {
	h.Shuffle(len(h.records), func(i, j int) { h.records[i], h.records[j] = h.records[j], h.records[i] })
	for i, rec := range h.records {
		rec = maps.Clone(rec)
		if days, ok := rec["balances"].([]record); ok {
			days = slices.Clone(days)
			h.Shuffle(len(days), func(i, j int) { days[i], days[j] = days[j], days[i] })
			rec["balances"] = days
		}
		h.records[i] = rec
	}
}

func (h *hall) answer(_ string, query url.Values) (int, any) {
	list := h.records
	if list == nil {
		list = []record{}
	}
	switch h.stream {
	case config.StreamCategorization:
		return http.StatusOK, record{"categorization": list}
	case config.StreamAccountHistory:
		return http.StatusOK, record{"histories": list}
	case config.StreamTransactions:
		if ids := query.Get("transactionIds"); ids != "" {
			list = byID(list, ids)
		}
	default: // a list, as it is
	}
	return http.StatusOK, list
}

// truth is what may stand under each key.
func (h *hall) truth(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, rec := range h.records {
		for _, one := range single(h.stream, rec) {
			for key, text := range h.alone(t, one) {
				if !slices.Contains(all[key], text) {
					all[key] = append(all[key], text)
				}
			}
		}
	}
	return all
}

// single divides a record of several keys.
func single(s config.Stream, rec record) (list []record) {
	if s != config.StreamAccountHistory {
		return []record{rec}
	}
	days, _ := rec["balances"].([]record)
	for _, d := range days {
		one := maps.Clone(rec)
		one["balances"] = []record{d}
		list = append(list, one)
	}
	return list
}

// Whatever parts of a key repeat within an answer, the same record stands in
// whatever order they come; the same answer writes nothing, and one that has
// changed leads to the lake that a first pull of it makes.
func TestWhatIsRepeatedIsOneRowAndTheSameOneInAnyOrder(t *testing.T) {
	t.Parallel()
	for _, s := range []config.Stream{
		config.StreamAccounts, config.StreamBankLogins, config.StreamContracts, config.StreamTransactions,
		config.StreamCategorization, config.StreamAccountHistory,
	} {
		for _, spilled := range []bool{false, true} {
			t.Run(fmt.Sprint(s, " spilled ", spilled), func(t *testing.T) {
				t.Parallel()
				repeated := int64(0)
				for seed := range uint64(40) {
					h := &hall{Rand: rand.New(rand.NewPCG(seed, 1)), stream: s}
					h.more(2 + h.IntN(14))
					l := newLake(t, &desk{answer: h.answer}, spilled, config.Job{Streams: []config.Stream{s}, Categorization: config.CategorizationFull})
					l.pull(s)
					repeated += l.issues.Repeated
					h.stands(t, l)
					for range 2 {
						h.shuffle()
						if n := l.pull(s); n != 0 {
							t.Fatalf("seed %d: the same answer in another order wrote %d rows", seed, n)
						}
					}
					if s == config.StreamAccountHistory {
						continue // days that are told no more stay: see the months' tests
					}
					h.records = h.records[:h.IntN(len(h.records)+1)]
					h.more(h.IntN(4))
					l.pull(s)
					h.shuffle()
					first := newLake(t, &desk{answer: h.answer}, spilled, *l.reader.Job)
					first.pull(s)
					if diff := cmp.Diff(first.tables, l.tables); diff != "" {
						t.Fatalf("seed %d: changed (-first pull +diff):\n%s", seed, diff)
					}
				}
				if repeated == 0 {
					t.Error("nothing was repeated: nothing is shown")
				}
			})
		}
	}
}

// stands compares what stands with what may.
func (h *hall) stands(t *testing.T, l *lake) {
	t.Helper()
	truth := h.truth(t)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(truth)), l.keys(h.stream)); diff != "" && len(truth)+len(l.keys(h.stream)) > 0 {
		t.Fatalf("keys (-truth +lake):\n%s", diff)
	}
	for key, text := range l.tables[string(h.stream)] {
		if !slices.Contains(truth[key], text) {
			t.Fatalf("%s is %q, and none of %q", key, text, truth[key])
		}
	}
}

// alone is the lake of one record.
func (h *hall) alone(t *testing.T, rec record) map[string]string {
	t.Helper()
	one := &hall{stream: h.stream, records: []record{rec}}
	if h.probe == nil {
		h.probe = newLake(t, &desk{}, false, config.Job{Streams: []config.Stream{h.stream}})
	}
	h.probe.desk.answer = one.answer
	clear(h.probe.tables)
	clear(h.probe.user.Cursors)
	h.probe.pull(h.stream)
	return h.probe.tables[string(h.stream)]
}

// byID are the records that are asked for by their ids.
func byID(list []record, ids string) []record {
	found := []record{}
	for _, rec := range list {
		if id, ok := rec["transactionId"].(string); ok && slices.Contains(strings.Split(ids, ","), id) {
			found = append(found, rec)
		}
	}
	return found
}
