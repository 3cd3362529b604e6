package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"finoos-syncer/internal/sink"
)

// lastList is what is remembered of the lists of users, before sharding: how many
// the last plausible one named, and since when those after it were not.
type lastList struct {
	stamp
	Named int64 `json:"named"`
	// Accepted says that somebody has taken it for the truth, even if it was empty.
	Accepted bool `json:"accepted,omitempty"`
	// Unlike is how many the first of the lists named that have been implausible
	// since then, and much of the same length.
	Unlike int64     `json:"implausible_named,omitempty"`
	Since  time.Time `json:"implausible_since,omitzero"`
}

// believedAfter is how long lists have to be alike until an implausible one is
// taken for the truth.
const believedAfter = week

// weigh compares a list with the last plausible one, and says what is then to be
// remembered. doubt is why it is implausible, empty where it is not.
func (l *lastList) weigh(list listExtent, now time.Time) (next lastList, doubt string) {
	now = now.UTC()
	switch {
	case !list.Whole:
		return *l, "the list of users is not whole: " + list.Reason
	case list.Named == 0:
		return lastList{Named: l.Named}, "the list of users is empty" // it is like no other, and is never believed
	case 2*list.Named >= l.Named:
		return lastList{Named: list.Named}, ""
	}
	next = *l
	if l.Since.IsZero() || isAhead(l.Since, now) || 2*list.Named < l.Unlike || list.Named > 2*l.Unlike {
		next.Since, next.Unlike = now, list.Named
	}
	if believed := next.Since.Add(believedAfter); now.Before(believed) {
		return next, fmt.Sprintf("the list names %d users, and the last plausible one named %d; if it stays so it is taken for the truth from %s on",
			list.Named, l.Named, believed.Format(time.RFC3339))
	}
	return lastList{Named: list.Named}, ""
}

// weighList decides whether the list of users is one to judge by. If it is not, the
// run has to say so.
func (n *nightly) weighList(ctx context.Context) (plausible bool) {
	last, known := n.recallList(ctx)
	list := n.list.extent
	next, doubt := last.weigh(list, n.o.Now())
	if list.Whole && (n.o.AcceptGone || known && last.Accepted && list.Named == last.Named) {
		next, doubt = lastList{Named: list.Named, Accepted: true}, ""
	}
	if n.weighed = &next; doubt == "" {
		return true
	}
	if !list.Whole { // which is said already
		n.log.WarnContext(ctx, "nobody is declared gone by a list that is not whole")
		return false
	}
	if list.Named == 0 && n.w.Opened() == 0 {
		return false // so it was when the list was read
	}
	hint := "`run --accept-gone` takes it for the truth at once"
	n.reserve("%s (%s): nobody was declared gone; check finoos.tenant (%q) and the credentials; %s", doubt, n.source().BaseURL, n.source().Tenant, hint)
	return false
}

// recallList reads what is remembered. Where that is nothing, or cannot be read,
// the users that are known stand in for the last list. known says that somebody
// has seen a list.
func (n *nightly) recallList(ctx context.Context) (last lastList, known bool) {
	body, err := sink.ReadState(ctx, n.store, n.o.Job, stateList)
	if err == nil && body != nil {
		err = json.Unmarshal(body, &last)
		known = err == nil && last.Named >= 0
	}
	if err != nil {
		n.log.WarnContext(ctx, "it is not known how many users the last list named: it is compared with the known users", "error", err)
	}
	if known {
		return last, true
	}
	last = lastList{}
	if 2*n.list.here < n.missing.known {
		last.Named = n.missing.known * int64(n.o.Shard.Count)
	}
	return last, false
}

// update remembers it, unless a later run has done so.
func (l *lastList) update(ctx context.Context, w *sink.Writer) error {
	return w.UpdateState(ctx, stateList, func(old []byte) ([]byte, error) {
		var standing lastList
		if old != nil && json.Unmarshal(old, &standing) == nil && l.isBefore(standing.stamp) {
			return nil, nil //nolint:nilnil // what stands is left
		}
		return json.Marshal(l)
	})
}
