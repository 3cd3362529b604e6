package jobs

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"finoos-syncer/internal/jobs/banktest"
	"finoos-syncer/internal/jobs/config"
)

func TestLostAnalysesAreBelievedOfAFewOrTheNextDay(t *testing.T) {
	t.Parallel()
	for _, lost := range []int{3, 30} {
		t.Run(strconv.Itoa(lost), func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(40)
			inBubble(t, o, func(b *bank) {
				t := b.t
				b.light()
				b.run(fourServices)
				var ids []string
				for u := range lost {
					ids = append(ids, b.UserID(u))
				}
				gone := true
				how := func(r *http.Request) (*http.Response, error) { return answers(r, 404, `{"type":"not_found"}`), nil }
				b.fail(how, func(user, rest string) bool {
					return gone && slices.Contains(ids, user) && strings.HasSuffix(rest, "/correlation")
				})
				rows := func(doubted bool) int64 {
					rep, err := b.try(t.Context(), b.options(b.config(fourServices)))
					if reason, _ := ReasonOf(err); doubted != (reason == ReasonPartial) || doubted == (err == nil) {
						t.Errorf("%d lost: %v", lost, err)
					}
					return b.changes(rep)["pulls"].Upserts
				}
				b.Night()
				want := int64(0)
				if lost == 3 {
					want = 3 * 5
				}
				if got := rows(lost != 3); got != want {
					t.Errorf("the first night %d rows, want %d", got, want)
				}
				if lost == 3 {
					return
				}
				if b.lostMarks() != lost {
					t.Errorf("%d marks", b.lostMarks())
				}
				gone = false // a service that was being deployed
				b.Night()
				if got := rows(false); got != 0 || b.lostMarks() != 0 {
					t.Errorf("back again: %d rows, %d marks", got, b.lostMarks())
				}
				gone = true
				b.Night()
				rows(true)
				b.Night()
				if got := rows(false); got != int64(lost*5) {
					t.Errorf("the second night %d rows", got)
				}
			})
		})
	}
}

func TestLostAnalysesAreBelievedOfTheDocumentedShare(t *testing.T) {
	t.Parallel()
	for lost, believed := range map[int]bool{4: true, 5: false} { // of 80, 5 % or 3
		t.Run(strconv.Itoa(lost), func(t *testing.T) {
			t.Parallel()
			o := banktest.Still(80)
			o.Past = 60
			inBubble(t, o, func(b *bank) {
				t := b.t
				b.run(fourServices)
				var ids []string
				for u := range lost {
					ids = append(ids, b.UserID(u))
				}
				b.fail(func(r *http.Request) (*http.Response, error) { return answers(r, 404, `{"type":"not_found"}`), nil },
					func(user, rest string) bool {
						return slices.Contains(ids, user) && strings.HasSuffix(rest, "/correlation")
					})
				b.Night()
				rep, err := b.try(t.Context(), b.options(b.config(fourServices)))
				if got := b.changes(rep)["pulls"].Upserts; believed && (err != nil || got != int64(lost*5)) {
					t.Errorf("%d of 80 users: %d rows, and %v", lost, got, err)
				}
				if !believed && (err == nil || !strings.Contains(err.Error(), "5 of 80 users")) {
					t.Errorf("%d of 80 users: %v", lost, err)
				}
			})
		})
	}
}

// lostMarks counts the users whose analyses are marked as lost.
func (b *bank) lostMarks() (n int) {
	b.t.Helper()
	for _, cs := range b.cursors() {
		if _, ok := cs[config.StreamLost]; ok {
			n++
		}
	}
	return n
}
