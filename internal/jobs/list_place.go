package jobs

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/report"
	"finoos-syncer/internal/sink/cursors"
)

// placeOf is where the next run begins in a bucket of users, and since when its
// users have waited for that.
type placeOf struct {
	stamp
	// Reached is the beginning of the last run that reached all users of the
	// bucket, or where From is set those before it; zero: none has. Those from From
	// on were last reached by the run that began at Rest.
	Reached time.Time `json:"reached,omitzero"`
	From    string    `json:"from,omitempty"`
	Rest    time.Time `json:"rest,omitzero"`
	// Waiting users were begun, but not done: they come before all others.
	Waiting []string `json:"waiting,omitempty"`
	// Asked is the beginning of the last run that asked for the users of the bucket
	// who were not listed.
	Asked time.Time `json:"asked,omitzero"`
}

// oldest is the beginning of the last run that reached every user of the bucket.
func (p *placeOf) oldest() time.Time {
	if p.From != "" && p.Rest.Before(p.Reached) {
		return p.Rest
	}
	return p.Reached
}

// waitIn lets users of the bucket come first. Where that are too many to be named,
// the bucket counts as not reached.
func (p *placeOf) waitIn(ids []string, before *placeOf) {
	size := 0
	for _, id := range ids {
		size += len(strconv.Quote(id)) // about what it takes up
	}
	if len(ids) > maxWaiting || size > maxWaitingBytes {
		p.Reached, p.From, p.Rest = before.oldest(), "", time.Time{}
		return
	}
	p.Waiting = ids
}

// What of a bucket is named one by one at most: 256 of them fit into one object.
const (
	maxWaiting      = 40
	maxWaitingBytes = 2 << 10
)

// same says whether there is nothing to be written.
func (p *placeOf) same(o *placeOf) bool {
	return p.Reached.Equal(o.Reached) && p.From == o.From && p.Rest.Equal(o.Rest) && slices.Equal(p.Waiting, o.Waiting) && p.Asked.Equal(o.Asked)
}

// findPlaces finds out where earlier runs stopped. State that cannot be had costs
// fairness, and no run.
func (s *session) findPlaces(ctx context.Context) error {
	found, err := readBuckets[placeOf](ctx, s.store, s.o.Job, statePlace)
	if err != nil {
		s.log.WarnContext(ctx, "it is not known where the last run stopped: the users come in no special order", "error", err)
	}
	now := s.o.Now()
	for b, p := range found {
		if p.Reached.After(now) || p.Rest.After(now) { // the clock was wrong, then or now
			p.Reached, p.Rest, p.From = time.Time{}, time.Time{}, ""
		}
		if isAhead(p.Asked, now) {
			p.Asked = time.Time{}
		}
		found[b] = p
	}
	s.places = found
	s.recallProbes(ctx)
	s.recallDoubts(ctx)
	return nil
}

// lastWhole is the beginning of the last run that reached all users of this one's
// bucket; zero where none is known.
func (s *session) lastWhole(userID string) time.Time {
	p := s.places[cursors.BucketOf(userID)]
	if slices.Contains(p.Waiting, userID) {
		return time.Time{}
	}
	return p.oldest()
}

// overAll says that the run is for all users of its shard.
func (s *session) overAll() bool { return !s.o.OnlyFailed && len(s.o.Users) == 0 }

// resume says, for people, where the next run will begin; nil where it does not
// matter. unasked are users who come first beside those who were begun.
func (f *flow) resume(unasked []string) *report.Resume {
	if !f.overAll() || f.feed == nil {
		return nil
	}
	at, waiting := f.feed.place()
	waiting = slices.Concat(f.inHand.sorted(), unasked, waiting)
	if at == nil {
		if len(waiting) == 0 {
			return nil
		}
		at = &report.Resume{} // everybody was begun
	}
	at.Waiting = waiting[:min(len(waiting), shownWaiting)]
	return at
}

// shownWaiting bounds Resume.Waiting.
const shownWaiting = 1000

// left says where the next run begins in those buckets of which that has changed.
func (f *feed) left(now stamp, before byBuckets[placeOf], inHand []string) byBuckets[placeOf] {
	waiting := map[int][]string{}
	steps := map[int][]stretch{}
	for _, s := range f.steps {
		if s.named == nil {
			steps[s.bucket] = append(steps[s.bucket], s)
			continue
		}
		for _, id := range s.named {
			if !f.early[id] {
				inHand = append(inHand, id)
			}
		}
	}
	maps.Insert(waiting, byBucket(slices.Values(inHand)))
	places := byBuckets[placeOf]{}
	for _, b := range f.of.o.Shard.Buckets() {
		old := before[b]
		p := placeOf{stamp: now, Asked: old.Asked}
		if p.Asked.IsZero() {
			p.Asked = now.Began // the week begins
		}
		p.Reached, p.From, p.Rest = f.reached(steps[b], &old, now.Began)
		if p.waitIn(waiting[b], &old); !p.same(&old) {
			places[b] = p
		}
	}
	return places
}

// reached says how far a bucket is done of which some stretches are left, whose
// oldest comes first.
func (f *feed) reached(left []stretch, before *placeOf, now time.Time) (reached time.Time, from string, rest time.Time) {
	if len(left) == 0 {
		return now, "", time.Time{}
	}
	s, atWork := left[0], f.last != "" && f.steps[0].named == nil && f.steps[0].bucket == left[0].bucket
	pieces := 1
	if before.From != "" {
		pieces = 2
	}
	at := s.from
	switch {
	case !atWork && len(left) == pieces:
		return before.Reached, before.From, before.Rest
	case !atWork:
	case len(f.users) > 0:
		at = f.users[0].ID
	case len(f.listed) > 0:
		at = f.listed[0].ID
	}
	if at == "" {
		return s.reached, "", time.Time{}
	}
	return now, at, s.reached
}

// remember tells the next runs what this one has done, and the report where it
// stopped. What cannot be written costs the next run its order, or a question, and
// no run its end.
func (n *nightly) remember(ctx context.Context, rep *report.Report) {
	n.tellFirst(ctx, rep)
	unasked, err := n.leftUnasked()
	rep.Resume = n.flow.resume(unasked)
	if n.w == nil || !n.overAll() || !n.safe || ctx.Err() != nil {
		return
	}
	now := stamp{Seq: n.w.Seq(), Began: rep.Started}
	check := func(err error) {
		if err != nil {
			n.log.WarnContext(ctx, "not remembered for the next run", "error", err)
		}
	}
	if n.circle != nil {
		check(err)
		places := n.circle.left(now, n.places, append(unasked, n.flow.inHand.sorted()...))
		n.noteAsked(now, places)
		check(updateBuckets(ctx, n.w, statePlace, places))
	}
	if n.weighed != nil {
		n.weighed.stamp = now
		check(n.weighed.update(ctx, n.w))
	}
	check(n.rememberProbes(ctx, rep, now))
	check(n.rememberLimit(ctx, rep))
	check(n.rememberDoubts(ctx))
	if rep.CameThrough() {
		own := byBuckets[success]{}
		for _, b := range n.o.Shard.Buckets() {
			own[b] = success{stamp: now, Ended: n.o.Now().UTC()}
		}
		check(updateBuckets(ctx, n.w, stateSuccess, own))
	}
}

// leftUnasked are the users who were passed over and count as not reached: the
// deadline came first, or what they were passed over for is asked once a week only, and
// may have been due. Of a bucket with more than can be named they are one more than these.
func (n *nightly) leftUnasked() (ids []string, err error) {
	weekly := func(p heldPart) bool {
		if p.stream == config.StreamBankLogins {
			return n.job.BankLogins == config.LoginsNeed
		}
		return n.job.Probe == config.ProbeBanking && p.op() != ownPath
	}
	batch := n.passed.take()
	defer batch.close()
	var named [cursors.Buckets]int
	for {
		u, ok, err := batch.next()
		if err != nil || !ok {
			return ids, err
		}
		b := cursors.BucketOf(u.id)
		left := slices.ContainsFunc(u.parts, func(p heldPart) bool { return n.comesBack(p.op()) || weekly(p) })
		if named[b] > maxWaiting || !left {
			continue
		}
		named[b]++
		ids = append(ids, u.id)
	}
}

// noteAsked adds that the users who were not listed were asked for.
func (n *nightly) noteAsked(now stamp, places byBuckets[placeOf]) {
	if !n.askedAll {
		return
	}
	for _, b := range n.o.Shard.Buckets() {
		p, moved := places[b]
		if !moved {
			p = n.places[b]
		}
		p.stamp, p.Asked = now, now.Began
		places[b] = p
	}
}

// askLongOwed says that some users who were not listed have not been asked for in
// a week, since deadlines cut every run before it came to that.
func (n *nightly) askLongOwed() bool {
	if n.job.Deadline == 0 || !n.overAll() {
		return false
	}
	for _, b := range n.o.Shard.Buckets() {
		if p, known := n.places[b]; known && n.o.Now().Sub(p.Asked) > week {
			return true
		}
	}
	return false
}

const week = 7 * 24 * time.Hour
