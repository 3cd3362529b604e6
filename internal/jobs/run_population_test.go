package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
)

// population is a town whose users join, leave and come back by chance, and
// whose API has bad nights.
type population struct {
	*town
	r *rand.Rand

	people []int           // who is there
	left   []int           // who was, and may come back
	next   int             // who has never been there
	known  map[string]bool // by the lake, before the night

	reference int            // users on the last plausible list
	missed    map[string]int // plausible nights that have missed a user

	// Of tonight.
	kind    string
	named   []string // on the list
	broken  int      // page that cannot be read, 0 for none
	ownFail bool
	noData  bool              // contracts are down
	told    map[string]string // of the analysis of a user's contracts
}

const peoplePage = 10

func (p *population) RoundTrip(r *http.Request) (*http.Response, error) {
	user, rest := below(r)
	switch {
	case r.URL.Path == "/users" && r.Method == http.MethodGet:
		return p.list(r)
	case user != "" && rest == "" && p.ownFail, strings.HasPrefix(rest, "contracts") && p.noData:
		return answerOf(r, http.StatusInternalServerError, `{}`), nil
	}
	answer, err := p.town.RoundTrip(r)
	if rest != "contracts/correlation" || err != nil {
		return answer, err
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body = io.NopCloser(bytes.NewReader(body))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told[user] = string(body)
	return answer, err
}

func (p *population) list(r *http.Request) (*http.Response, error) {
	page := 1
	if text := r.URL.Query().Get("page"); text != "" {
		page, _ = strconv.Atoi(text)
	}
	if page == p.broken {
		return answerOf(r, http.StatusBadGateway, `{}`), nil
	}
	users := []map[string]string{}
	for i := (page - 1) * peoplePage; i >= 0 && i < min(page*peoplePage, len(p.named)); i++ {
		users = append(users, map[string]string{"id": p.named[i]})
	}
	pages := (len(p.named) + peoplePage - 1) / peoplePage
	body, err := json.Marshal(map[string]any{"context": map[string]int{"page": page, "pageSize": peoplePage, "totalPages": pages, "total": len(p.named)}, "users": users})
	return answerOf(r, http.StatusOK, string(body)), err
}

// move lets users leave, come back and join.
func (p *population) move() {
	leave := p.r.IntN(3)
	if p.r.IntN(6) == 0 {
		leave = len(p.people) / 3
	}
	for range min(leave, len(p.people)-3) {
		i := p.r.IntN(len(p.people))
		p.left = append(p.left, p.people[i])
		p.people = slices.Delete(p.people, i, i+1)
	}
	for range min(p.r.IntN(3), len(p.left)) {
		i := p.r.IntN(len(p.left))
		p.people = append(p.people, p.left[i])
		p.left = slices.Delete(p.left, i, i+1)
	}
	for range p.r.IntN(4) {
		p.people = append(p.people, p.next)
		p.next++
	}
	p.are(p.people...)
}

// dusk chooses what kind of night it is.
func (p *population) dusk() {
	p.move()
	kinds := []string{"well", "well", "well", "sharded", "empty", "short", "page", "own paths", "contracts", "cut", "named", "only failed"}
	p.kind, p.broken, p.ownFail, p.noData = kinds[p.r.IntN(len(kinds))], 0, false, false
	p.named, p.told = nil, map[string]string{}
	for _, u := range p.people {
		p.named = append(p.named, p.b.UserID(u))
	}
	p.r.Shuffle(len(p.named), func(i, j int) { p.named[i], p.named[j] = p.named[j], p.named[i] })
	switch p.kind {
	case "empty":
		p.named = nil
	case "short":
		p.named = p.named[:max(1, len(p.named)/(2+p.r.IntN(3)))]
	case "page":
		p.broken = 2
	case "own paths":
		p.ownFail = true
	case "contracts":
		p.noData = true
	}
}

// isShown says that a user stands on a page of the list that can be read.
func (p *population) isShown(id string) bool {
	i := slices.Index(p.named, id)
	return i >= 0 && i/peoplePage+1 != p.broken
}

func (p *population) isWhole() bool { return p.broken == 0 || len(p.named) <= peoplePage }

func (p *population) isPlausible() bool {
	return p.isWhole() && len(p.named) > 0 && 2*len(p.named) >= p.reference
}

// unlisted are the known users whom the list lacks.
func (p *population) unlisted() (n int) {
	for id := range p.known {
		if !slices.Contains(p.named, id) {
			n++
		}
	}
	return n
}

// want is how the run has to end; either says that there is no telling.
func (p *population) want() (reason Reason, either bool) {
	switch {
	case !p.isPlausible(), p.noData:
		return ReasonPartial, false
	case p.ownFail:
		return ReasonPartial, p.unlisted() < fewest
	}
	return 0, false
}

// night runs the job, and reports whether all of its shards came through.
func (p *population) night(lines ...string) (through bool) {
	b, shards := p.b, 1
	if p.kind == "sharded" {
		shards = 2 + p.r.IntN(3)
	}
	through = true
	for i := range shards {
		o, ctx := b.options(b.config(lines...)), b.t.Context()
		o.Transport = p
		o.Shard, o.RunGroup = cursors.Shard{Index: i, Count: shards}, fmt.Sprint(p.kind, time.Now().UnixNano())
		switch p.kind {
		case "cut":
			within, cancel := context.WithCancel(ctx)
			defer cancel()
			ctx, p.cut, p.cutAt = within, cancel, 1+p.r.IntN(120)
		case "only failed":
			o.OnlyFailed = true
		case "named":
			for _, u := range p.people[:min(3, len(p.people))] {
				o.Users = append(o.Users, b.UserID(u))
			}
		}
		rep, err := b.try(ctx, o)
		p.cutAt = 0
		through = through && rep.CameThrough()
		reason, _ := ReasonOf(err)
		want, either := p.want()
		if p.kind == "named" {
			want = 0
		}
		if !either && err != nil != (want != 0) && (p.kind != "cut" || reason != ReasonInterrupted) || reason != 0 && reason != want && reason != ReasonInterrupted {
			b.t.Errorf("%s, shard %d of %d: ended with %v, want reason %d: %d on the list, reference %d, %+v", p.kind, i, shards, err, want, len(p.named), p.reference, rep.Users)
		}
	}
	return through
}

// dawn checks what the night has left.
func (p *population) dawn(through bool, deleted, before map[string]int) {
	b := p.b
	all := p.kind != "named" && p.kind != "only failed"
	after := b.cursors()
	for id, n := range deleted {
		switch {
		case n == before[id]:
		case p.there[id], slices.Contains(p.named, id), p.ownFail, !p.isPlausible(), p.kind == "named":
			b.t.Errorf("%s: %s was declared gone; it is there: %v", p.kind, id, p.there[id])
		}
	}
	for id := range p.there {
		delete(p.missed, id)
		c := after[id][config.StreamContracts]
		if reached := p.isShown(id) || p.known[id] && !p.ownFail; reached && all && through && !p.noData && (c.CorrelationID == "" && c.ErrorClass == "" || !strings.Contains(p.told[id], c.CorrelationID)) {
			b.t.Errorf("%s: %s was told of %s, and the lake has %q, pulled at %v", p.kind, id, p.told[id], c.CorrelationID, c.PulledAt)
		}
	}
	for id := range p.known {
		if !all || !through || p.there[id] || p.ownFail || !p.isPlausible() {
			continue
		}
		p.missed[id]++
		if _, still := after[id]; still && p.missed[id] >= 2 {
			b.t.Errorf("%s: %s was missed in %d plausible nights, and is not gone", p.kind, id, p.missed[id])
		}
	}
	clear(p.known)
	for id := range after {
		p.known[id] = true
	}
	maps.DeleteFunc(p.missed, func(id string, _ int) bool { return !p.known[id] })
	if all && through && p.isPlausible() {
		p.reference = len(p.named)
	}
}

// deletes counts the rows by which users were declared gone.
func (b *bank) deletes() map[string]int {
	n := map[string]int{}
	for _, row := range b.rows("users") {
		if row["_op"] == "delete" {
			n[row["user_id"]]++
		}
	}
	return n
}

func (b *bank) verifies() {
	b.t.Helper()
	v, err := sink.Verify(b.t.Context(), sink.VerifyOptions{Store: b.store(), Job: "nightly", ScratchDir: b.t.TempDir()})
	if err != nil || v.ProblemCount > 0 {
		b.t.Fatalf("%v, %+v", err, v.Problems)
	}
}

func TestUsersWhoComeAndGoByChanceAreRightEveryNight(t *testing.T) {
	t.Parallel()
	for seed := range uint64(1) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			inBubble(t, banktest.Steady(160), func(b *bank) {
				const start = 22
				nights := 30
				if raceEnabled {
					nights = 10
				}
				p := &population{town: newTown(b), r: rand.New(rand.NewPCG(seed, 15)), people: upTo(start), next: start, known: map[string]bool{}, missed: map[string]int{}}
				before := map[string]int{}
				for night := range nights {
					if p.dusk(); night == 0 {
						p.kind, p.broken, p.ownFail, p.noData, p.named = "well", 0, false, false, nil
						for _, u := range p.people {
							p.named = append(p.named, b.UserID(u))
						}
					}
					through := p.night("streams: [users, accounts, contracts]")
					deleted := b.deletes()
					p.dawn(through, deleted, before)
					before = deleted
					if night%10 == 9 {
						b.verifies()
					}
					if b.t.Failed() {
						b.t.Fatalf("night %d", night)
					}
					b.Night()
				}
				if !raceEnabled && len(before) < 10 { // the first comes later than a sample goes
					b.t.Errorf("only %d users were ever gone", len(before))
				}
			})
		})
	}
}
