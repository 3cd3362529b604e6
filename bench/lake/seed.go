package lake

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"finoos-syncer/bench/world"
	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/sink"
	"finoos-syncer/internal/sink/cursors"
)

// commitAt is as many bytes of cursors as a run holds before it commits.
const commitAt = 8 << 20

// MostChanged is how many of a thousand users may change in a seeded lake.
const MostChanged = 20

// Seed leaves the state that a first night of all users of a world would
// have left, without its rows: the night itself is run for one user, and what
// it remembers of that one is written for all, by the sink's own writer and in
// the order and the commits of a night.
func (l Lake) Seed(ctx context.Context, w *world.World) error {
	was := world.New(w.Users, 0, w.Days)
	pattern, err := l.remembered(ctx, was)
	if err != nil {
		return fmt.Errorf("run the first night of one user: %w", err)
	}
	users, err := listed(ctx, was)
	if err != nil {
		return fmt.Errorf("list users: %w", err)
	}
	changing := world.New(w.Users, MostChanged, w.Days)
	writer, err := l.Writer(ctx)
	if err != nil {
		return err
	}
	for _, users := range users {
		for _, u := range users {
			if err := writer.Add(ctx, sink.Batch{Cursors: cursorsOf(u, pattern, changing.Changes(u.ID))}); err != nil {
				return err
			}
			if writer.Pending().Bytes < commitAt {
				continue
			}
			if _, err := writer.Commit(ctx); err != nil {
				return err
			}
		}
	}
	if _, err := writer.Commit(ctx); err != nil {
		return err
	}
	return writer.Close(ctx)
}

// Writer opens a run that writes to the lake without an API.
func (l Lake) Writer(ctx context.Context) (*sink.Writer, error) {
	store, err := l.Open(ctx)
	if err != nil {
		return nil, err
	}
	return sink.Open(ctx, sink.Options{
		Store: store, Job: Job, RunID: ulid.Make().String(), RunGroup: "seed", Source: sink.Source{BaseURL: l.api()}, Holder: "bench",
		ScratchDir: filepath.Dir(l.Dir), Now: func() time.Time { return world.Today },
	})
}

// pattern is what a night remembers of the world's first user.
type pattern struct {
	user    finoos.User
	cursors []cursors.Cursor
}

func (l Lake) remembered(ctx context.Context, w *world.World) (p pattern, err error) {
	dir, err := os.MkdirTemp("", "syncer-bench")
	if err != nil {
		return p, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a scratch folder
	one := world.New(1, 0, w.Days)
	scratch := Lake{Dir: dir + "/lake", Streams: l.Streams}
	if _, err := scratch.Night(ctx, one, nil); err != nil {
		return p, err
	}
	store, err := scratch.Open(ctx)
	if err != nil {
		return p, err
	}
	look, err := sink.OpenLook(ctx, sink.LookOptions{Store: store, Job: Job, Source: sink.Source{BaseURL: nowhere}})
	if err != nil {
		return p, err
	}
	defer look.Close()
	cs, err := look.Cursors(ctx, cursors.BucketOf(world.ID(0)), world.ID(0))
	if err != nil {
		return p, err
	}
	first, err := listed(ctx, one)
	if err != nil {
		return p, err
	}
	p.user, p.cursors = first[cursors.BucketOf(world.ID(0))][0], cs[world.ID(0)]
	return p, nil
}

// listed returns the users of a world in the order of a night: by bucket, then
// by id.
func listed(ctx context.Context, w *world.World) (users [cursors.Buckets][]finoos.User, err error) {
	client, err := finoos.New(finoos.Config{BaseURL: nowhere, ClientID: "c", ClientSecret: "s", Transport: w})
	if err != nil {
		return users, err
	}
	for u, err := range client.Users(ctx) {
		if err != nil {
			return users, err
		}
		b := cursors.BucketOf(u.ID)
		users[b] = append(users[b], finoos.User{ID: strings.Clone(u.ID), Record: finoos.Record{Hash: u.Hash}})
	}
	for _, list := range users {
		slices.SortFunc(list, func(a, b finoos.User) int { return strings.Compare(a.ID, b.ID) })
	}
	return users, nil
}

// cursorsOf are a user's cursors by the pattern of another: ids of users are of
// one length, and stand in correlations too.
//
// What is remembered of those who never change in these nights is nobody's: it
// is not looked at, and should not compress better than hashes do.
func cursorsOf(u finoos.User, p pattern, changes bool) []cursors.Cursor {
	was, hash := binary.LittleEndian.AppendUint64(nil, p.user.Hash), binary.LittleEndian.AppendUint64(nil, u.Hash)
	cs := slices.Clone(p.cursors)
	for i := range cs {
		c := &cs[i]
		c.UserID = u.ID
		if c.CorrelationID != "" {
			c.CorrelationID = strings.TrimSuffix(c.CorrelationID, world.Digits(p.user.ID)) + world.Digits(u.ID)
		}
		if c.CorrelationID != "" && !changes {
			c.State = scrambled(c.State, u.Hash)
		}
		if c.Stream == "users" {
			c.State = bytes.ReplaceAll(bytes.ReplaceAll(c.State, []byte(p.user.ID), []byte(u.ID)), was, hash)
		}
	}
	return cs
}

// scrambled is as long as a state, and looks as random as one of other hashes.
func scrambled(state []byte, seed uint64) []byte {
	out := make([]byte, 0, len(state)+8)
	for random := rand.NewPCG(seed, 0); len(out) < len(state); {
		out = binary.LittleEndian.AppendUint64(out, random.Uint64())
	}
	return out[:len(state)]
}
