package pull

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/joined"
	"finoos-syncer/internal/sink/table"

	"github.com/cespare/xxhash/v2"
)

// readCategorization reads the tags of a user's transactions. In mode diff the
// API says which were added since the correlation of the last pull; in mode
// full everything is read and compared here, which also finds removed tags.
func (r *Reader) readCategorization(ctx context.Context, u *User, res *Result) error {
	c := u.Cursor(res.Stream)
	if r.Job.Categorization == config.CategorizationFull {
		return r.compareTags(ctx, u, res)
	}
	since := c.CorrelationID
	if r.WantsFull(c) {
		since = ""
	}
	var list *finoos.List[finoos.Categorization]
	var err error
	if since == "" {
		list, err = r.allTags(ctx, u, res)
	} else {
		list, err = r.Client.Categorization(ctx, u.ID, since)
	}
	if since != "" && tooOldForDiff(err) {
		since = ""
		list, err = r.allTags(ctx, u, res)
	}
	if err != nil {
		return err
	}
	if since == "" {
		res.readAll()
	}
	return CollectTags(ctx, res, list, nil, nil, nil)
}

func (r *Reader) allTags(ctx context.Context, u *User, res *Result) (*finoos.List[finoos.Categorization], error) {
	return wholeOf(u, res,
		func(j *Joined) *finoos.List[finoos.Categorization] { return j.Body.Categorization(j.View) },
		func() (*finoos.List[finoos.Categorization], error) { return r.Client.Categorization(ctx, u.ID, "") },
		func(c *joined.Comparison, l *finoos.List[finoos.Categorization]) error { return c.Tags(l) })
}

// tooOldForDiff says whether a diff was refused because the API does not know
// the analysis that it should start from (docs/design.md, "What a row means").
func tooOldForDiff(err error) bool {
	api, ok := errors.AsType[*finoos.Error](err)
	return ok && api.StaleCorrelation()
}

func (r *Reader) compareTags(ctx context.Context, u *User, res *Result) error {
	list, err := r.allTags(ctx, u, res)
	if err != nil {
		return err
	}
	res.unfiltered = true
	c := u.Cursor(res.Stream)
	state := r.Veil.open(c)
	old, err := decodeKeyed(state)
	// A cursor that was left by the mode diff remembers no tags: read all.
	if r.WantsFull(c) || err != nil || len(state) == 0 {
		old = nil
		res.readAll()
	}
	next := &tagsThere{tags: keyed{}, partial: map[string]bool{}}
	if err := CollectTags(ctx, res, list, old, next, nil); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(old)) {
		if _, there := next.tags[key]; !there {
			account, rest, _ := strings.Cut(key, "\x00")
			transaction, tag, _ := strings.Cut(rest, "\x00")
			if next.partial[key[:len(key)-len(tag)]] {
				next.tags[key] = old[key]
				continue
			}
			res.remove(&table.Categorization{
				UserID: u.ID, AccountID: account, TransactionID: transaction, Tag: tag, Meta: res.meta(table.Delete, ""),
			})
		}
	}
	res.state = next.tags.encode()
	return nil
}

// tagsThere are the tags of an answer, by account, transaction and tag.
type tagsThere struct {
	tags keyed
	// partial are the transactions of which not all tags can be read, by account and
	// id: none is missing there.
	partial map[string]bool
}

// CollectTags makes a row of each tag of each transaction, once, and leaves
// out those that old has. next, where it is not nil, receives what was there;
// wanted, where it is not nil, chooses transactions.
func CollectTags(
	ctx context.Context, res *Result, list *finoos.List[finoos.Categorization], old keyed, next *tagsThere, wanted func(*finoos.Categorization) bool,
) error {
	picks := &picks{res: res}
	var transaction bookingKey
	var key []byte // only where it is compared
	return Collect(ctx, res, list, Pass[finoos.Categorization]{Start: picks.start, Again: picks.again, Visit: func(rec *finoos.Categorization, emit func(table.Row) error) error {
		if wanted != nil && !wanted(rec) {
			return nil
		}
		if rec.AccountID == "" {
			res.Issues.NoAccount++
		}
		// Not the record's own hash: that one covers its other tags.
		hash := res.fingerprint(xxhash.Sum64String(rec.Extra), func() table.Row { return &table.Categorization{Meta: res.meta(table.Upsert, rec.Extra)} })
		whose := transaction.of(rec.AccountID, rec.TransactionID)
		of := 0
		if next != nil {
			key = append(append(append(append(key[:0], rec.AccountID...), 0), rec.TransactionID...), 0)
			if of = len(key); rec.Unreadable > 0 {
				next.partial[string(key)] = true
			}
		}
		for _, tag := range rec.Tags {
			if !picks.stands(joinHashes(xxhash.Sum64String(tag), whose), hash) {
				continue
			}
			if next != nil {
				key = append(key[:of], tag...)
				next.tags[string(key)] = hash
				if before, known := old[string(key)]; known && before == hash {
					continue
				}
			}
			row := res.turn.slabs.tags.next()
			*row = table.Categorization{
				UserID: res.User, AccountID: rec.AccountID, TransactionID: rec.TransactionID, Tag: tag,
				Meta: res.meta(table.Upsert, rec.Extra),
			}
			if err := emit(row); err != nil {
				return err
			}
		}
		return nil
	}})
}
