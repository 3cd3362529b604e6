package attempts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/seal"
)

// Options say where a [Book] writes.
type Options struct {
	Store  bucket.Objects
	Prefix string // that of the keys of all runs of the job
	RunID  string
	Key    func(n int64) string // of the run's own objects
	// Check says whether the run may still ask anybody: nobody has its lease.
	Check func(context.Context) error
	// AtOnce is how many may be waiting to be written; when as many are, no more
	// will come. 0 means that this is not known.
	AtOnce int
	Logger *slog.Logger
}

const (
	// gatherFor is how long an attempt waits for others, and quiet how long for the
	// next one.
	gatherFor = time.Second
	quiet     = 250 * time.Millisecond
	// putFor bounds the write of an object.
	putFor = 30 * time.Second
	// deletions are made side by side.
	deletions = 8
)

// Book is the attempts of one run, and those that it found. Safe for concurrent use.
type Book struct {
	o       Options
	writing sync.WaitGroup

	mu        sync.Mutex
	gathering *gathered
	numbered  int64
	open      map[*notePage]struct{} // of which something is not known, or not committed
	ready     []*notePage            // all they tell is committed
}

// Ticket stands for an attempt that is noted, until it is told what came of it or
// that it was not made.
type Ticket struct {
	Attempt
	of      *notePage
	settled bool
}

// notePage is an object, as far as this run has to do with it.
type notePage struct {
	key     string
	run     string
	left    int  // tickets that are not settled
	told    int  // outcomes that are rows, and not committed
	written bool // it stands, or will not
	etag    string
	rest    []Attempt // of others' users
}

// gathered are attempts that are written together.
type gathered struct {
	page *notePage
	list []Attempt
	news chan struct{} // one more
	full chan struct{} // closed: no more are taken
	done chan struct{} // closed: it stands, or err says why not
	err  error
}

// NewBook begins with an empty book.
func NewBook(o Options) *Book { return &Book{o: o, open: map[*notePage]struct{}{}} }

// Note writes an attempt down, with those of others that are waiting. When it
// returns without an error, the bank may be asked; else nobody may.
func (b *Book) Note(ctx context.Context, a Attempt) (*Ticket, error) {
	t, g := b.gather(ctx, a)
	select {
	case <-g.done:
	case <-ctx.Done():
		b.Drop(t)
		return nil, context.Cause(ctx)
	}
	if g.err != nil {
		b.Drop(t)
		return nil, fmt.Errorf("note an attempt before it is made: %w", g.err)
	}
	return t, nil
}

func (b *Book) gather(ctx context.Context, a Attempt) (*Ticket, *gathered) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.gathering
	if g == nil {
		b.numbered++
		g = &gathered{
			page: &notePage{key: b.o.Key(b.numbered), run: b.o.RunID},
			news: make(chan struct{}, 1), full: make(chan struct{}), done: make(chan struct{}),
		}
		b.gathering = g
		b.open[g.page] = struct{}{}
		ctx := context.WithoutCancel(ctx) // it is not this one's alone
		b.writing.Go(func() { b.write(ctx, g) })
	}
	a.At = a.At.UTC()
	g.list = append(g.list, a)
	g.page.left++
	if len(g.list) == most || len(g.list) == b.o.AtOnce {
		b.gathering = nil
		close(g.full)
	}
	select {
	case g.news <- struct{}{}:
	default:
	}
	return &Ticket{Attempt: a, of: g.page}, g
}

// write waits for more, and then writes what there is.
func (b *Book) write(ctx context.Context, g *gathered) {
	defer close(g.done)
	g.wait()
	b.mu.Lock()
	if b.gathering == g {
		b.gathering = nil
	}
	list := g.list
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, putFor)
	defer cancel()
	g.err = b.put(ctx, g.page.key, list)
	b.mu.Lock()
	g.page.written = true
	b.mu.Unlock()
}

func (g *gathered) wait() {
	last := time.NewTimer(gatherFor)
	defer last.Stop()
	next := time.NewTimer(quiet)
	defer next.Stop()
	for {
		select {
		case <-g.full:
			return
		case <-last.C:
			return
		case <-next.C:
			return
		case <-g.news:
			next.Reset(quiet)
		}
	}
}

// put writes an object of the run's own. The lease is looked at when it stands:
// whoever takes the lease from then on finds it.
func (b *Book) put(ctx context.Context, key string, list []Attempt) error {
	body, err := encode(b.o.RunID, list)
	if err != nil {
		return err
	}
	if _, err := bucket.WriteNew(ctx, b.o.Store, key, seal.Add(key, body)); err != nil { // the key is this process's alone
		return err
	}
	return b.o.Check(ctx)
}

// Drop says that an attempt was not made, or that what came of it was known before.
func (b *Book) Drop(t *Ticket) { b.settle(t, false) }

// Told says that the next commit has what came of these.
func (b *Book) Told(tickets []*Ticket) {
	for _, t := range tickets {
		b.settle(t, true)
	}
}

func (b *Book) settle(t *Ticket, told bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t == nil || t.settled {
		return
	}
	t.settled = true
	t.of.left--
	if told {
		t.of.told++
	}
}

// Sealed is how much of each object is told with a commit that is being made.
type Sealed map[*notePage]int

// Seal is called when a commit takes what was told so far, and no more.
func (b *Book) Seal() Sealed {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := Sealed{}
	for p := range b.open {
		all[p] = p.told
	}
	return all
}

// Committed says that the commit stands.
func (b *Book) Committed(s Sealed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for p, told := range s {
		p.told -= told
	}
	b.release()
}

// release makes ready what is done with. mu is held.
func (b *Book) release() {
	for p := range b.open {
		if p.left == 0 && p.told == 0 && p.written {
			delete(b.open, p)
			b.ready = append(b.ready, p)
		}
	}
}

// Clear deletes what nobody needs any more. It is called when all that the run has
// committed is published. What it cannot delete stays for the next time, or the next
// run.
func (b *Book) Clear(ctx context.Context) error {
	b.mu.Lock()
	ready := b.ready
	b.ready = nil
	b.mu.Unlock()
	work, going := errgroup.WithContext(ctx) // one that cannot be deleted stands for the others
	work.SetLimit(deletions)
	for _, p := range ready {
		work.Go(func() error {
			err := going.Err()
			if err == nil {
				err = b.clear(ctx, p)
			}
			if err != nil {
				b.mu.Lock()
				b.ready = append(b.ready, p)
				b.mu.Unlock()
			}
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return fmt.Errorf("clear noted attempts away: %w", err)
	}
	return nil
}

// Close clears away what is ready, and what was never made. It waits for what is
// being written.
func (b *Book) Close(ctx context.Context) error {
	b.writing.Wait()
	b.mu.Lock()
	b.release()
	b.mu.Unlock()
	return b.Clear(ctx)
}

// clear takes this run's part out of an object.
func (b *Book) clear(ctx context.Context, p *notePage) error {
	for range 16 { // as many shards may be at the same one
		if len(p.rest) == 0 {
			return b.o.Store.Delete(ctx, p.key)
		}
		body, err := encode(p.run, p.rest)
		if err != nil {
			return err
		}
		_, err = bucket.Write(ctx, b.o.Store, p.key, seal.Add(p.key, body), bucket.Condition{IfMatch: p.etag})
		if !errors.Is(err, bucket.ErrPrecondition) && !errors.Is(err, bucket.ErrConflict) {
			return err
		}
		if err := b.again(ctx, p); err != nil {
			return err
		}
		if p.etag == "" {
			return nil // others were the last
		}
	}
	return errors.New("others are changing it")
}

// again reads an object that another shard has changed.
func (b *Book) again(ctx context.Context, p *notePage) error {
	body, info, err := b.o.Store.Get(ctx, p.key)
	if errors.Is(err, bucket.ErrNotExist) {
		p.etag = ""
		return nil
	}
	if err != nil {
		return err
	}
	list, err := read(p.key, body, p.run)
	if err != nil {
		return err
	}
	others := map[Attempt]bool{}
	for _, a := range p.rest {
		others[a] = true
	}
	p.etag, p.rest = info.ETag, nil
	for _, a := range list {
		if others[a] {
			p.rest = append(p.rest, a)
		}
	}
	return nil
}

// Left calls each with the attempts of other runs that are this one's to settle:
// those of users that it owns, who no living run can have. They come object by
// object, and each ticket has to be told of, or dropped. What cannot be read is
// passed over, with a warning, and left alone.
func (b *Book) Left(ctx context.Context, own func(userID string) bool, each func([]*Ticket) error) error {
	for info, err := range b.o.Store.List(ctx, b.o.Prefix, "") {
		if err != nil {
			return fmt.Errorf("list noted attempts: %w", err)
		}
		run := RunOf(strings.TrimPrefix(info.Key, b.o.Prefix))
		if run == "" || run == b.o.RunID {
			continue
		}
		tickets, err := b.read(ctx, info, run, own)
		if err != nil {
			return err
		}
		if len(tickets) == 0 {
			continue
		}
		if err := each(tickets); err != nil {
			return err
		}
	}
	return nil
}

func (b *Book) read(ctx context.Context, info bucket.Info, run string, own func(string) bool) ([]*Ticket, error) {
	var list []Attempt
	etag := ""
	err := errors.New("it is too large")
	if info.Size <= MaxObject {
		var body []byte
		var got bucket.Info
		body, got, err = b.o.Store.Get(ctx, info.Key)
		if errors.Is(err, bucket.ErrNotExist) {
			return nil, nil // its run has ended well, just now
		}
		switch {
		case errors.Is(err, bucket.ErrDenied), errors.Is(err, bucket.ErrTooLarge): // archived, or of another key: so it stays, night after night
		case err != nil:
			return nil, fmt.Errorf("read noted attempts: %w", err)
		default:
			etag = got.ETag
			list, err = read(info.Key, body, run)
		}
	}
	if err != nil {
		b.o.Logger.WarnContext(ctx, "noted attempts of an earlier run cannot be read: they are passed over", "key", info.Key, "error", err)
		return nil, nil
	}
	p := &notePage{key: info.Key, run: run, etag: etag, written: true}
	var tickets []*Ticket
	for _, a := range list {
		if own(a.UserID) {
			tickets = append(tickets, &Ticket{Attempt: a, of: p})
			p.left++
			continue
		}
		p.rest = append(p.rest, a)
	}
	if len(tickets) == 0 {
		return nil, nil
	}
	b.mu.Lock()
	b.open[p] = struct{}{}
	b.mu.Unlock()
	return tickets, nil
}
