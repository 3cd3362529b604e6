package jobs

import (
	"strings"
	"testing"

	"finoos-syncer/internal/sink/bucket"
)

func TestDamagedDoubtsAreNotForgotten(t *testing.T) {
	t.Parallel()
	o := brief(150, "joined=whole")
	o.Past = 8
	inBubble(t, o, func(b *bank) {
		t := b.t
		b.transport = &otherwise{next: b.transport, change: func(n int, _ string, body map[string]any) any {
			if n <= 35 {
				return nil
			}
			return withoutOne(body)
		}}
		rep, _ := b.stops(t.Context(), ReasonPartial, b.options(b.config(joinable, firstJoined, oneByOne)))
		t.Logf("%+v", rep.First)
		right := separately(b, o, 1, joinable)
		if _, err := b.store().Put(t.Context(), "_syncer/nightly/state/first.json", []byte(`{"first":`), bucket.Condition{}); err != nil {
			t.Fatal(err)
		}
		b.Night()
		rep = b.run(joinable, oneByOne)
		if diff := sameLake(right, b.standing()); diff != "" {
			t.Errorf("outcome %s, %+v: lake wrong: %s", rep.Outcome, rep.Users, lastLines(diff))
		}
	})
}

func lastLines(s string) string {
	var out []string
	for l := range strings.SplitSeq(s, "\n") {
		if strings.Contains(l, "rows of") {
			out = append(out, l)
		}
	}
	return strings.Join(out, "; ")
}
