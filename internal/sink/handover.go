package sink

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/seal"
)

// A handover passes records from one shard of a run group to the others: what
// all of them need is read from its source once. It is no part of a commit, and
// nothing depends on it: who does not find it goes without.

const (
	handoverChunk = 1 << 20
	// maxChunks is more than any shard leaves for another.
	maxChunks = 1 << 20
	// handoverAge is when what a run group handed over is swept, long after its
	// shards and their restarts have ended.
	handoverAge = 24 * time.Hour
	// handoverOld is from when it is no longer believed: somebody may give all
	// nights the same name.
	handoverOld = 12 * time.Hour
)

// Handover is what one shard leaves for the others. It is not safe for
// concurrent use.
type Handover struct {
	w      *Writer
	held   [][]byte   // by shard
	chunks []int      // written so far, by shard
	sums   [][]string // of the chunks, by shard
}

// handed says that all is there: written last, it names the chunks, and says of
// them as a whole what their maker has to say.
type handed struct {
	RunID  string `json:"run_id"`
	Chunks int    `json:"chunks"`
	// Sums are those of the chunks; handovers of earlier versions do not tell.
	Sums  []string        `json:"sums,omitempty"`
	About json.RawMessage `json:"about,omitempty"`
}

// HandOver begins a handover to the other shards of the run group.
func (w *Writer) HandOver() (*Handover, error) {
	if err := checkName("run group", w.o.RunGroup); err != nil {
		return nil, err
	}
	n := w.o.Shard.Count
	return &Handover{w: w, held: make([][]byte, n), chunks: make([]int, n), sums: make([][]string, n)}, nil
}

// Add leaves a record for a shard.
func (h *Handover) Add(ctx context.Context, shard int, record []byte) error {
	h.held[shard] = binary.AppendUvarint(h.held[shard], uint64(len(record)))
	h.held[shard] = append(h.held[shard], record...)
	if len(h.held[shard]) < max(handoverChunk/len(h.held), 16<<10) {
		return nil
	}
	return h.flush(ctx, shard)
}

func (h *Handover) flush(ctx context.Context, shard int) error {
	if len(h.held[shard]) == 0 {
		return nil
	}
	key := h.w.keys.handoverChunk(h.w.o.RunGroup, h.w.o.RunID, cursors.Shard{Index: shard, Count: len(h.held)}, h.chunks[shard])
	if err := checkSmall(key, h.held[shard]); err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	if _, err := bucket.Write(ctx, h.w.store, key, h.held[shard], bucket.Condition{}); err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	h.chunks[shard]++
	h.sums[shard] = append(h.sums[shard], sumOf(h.held[shard]))
	h.held[shard] = h.held[shard][:0]
	return nil
}

// Show writes out what was added, so that the others see the handover grow. Where
// that is nothing, an empty record shows that its maker goes on.
func (h *Handover) Show(ctx context.Context) error {
	added, other := false, 0
	for shard := range h.held {
		if shard == h.w.o.Shard.Index {
			continue
		}
		added, other = added || len(h.held[shard]) > 0, shard
		if err := h.flush(ctx, shard); err != nil {
			return err
		}
	}
	if added {
		return nil
	}
	h.held[other] = append(h.held[other], 0)
	return h.flush(ctx, other)
}

// Done makes all that was added readable, with what is to be said about it as
// JSON, and sweeps what older run groups have handed over.
func (h *Handover) Done(ctx context.Context, about []byte) error {
	for shard := range h.held {
		if shard == h.w.o.Shard.Index {
			continue
		}
		if err := h.flush(ctx, shard); err != nil {
			return err
		}
		body, err := json.Marshal(handed{RunID: h.w.o.RunID, Chunks: h.chunks[shard], Sums: h.sums[shard], About: about})
		if err != nil {
			return fmt.Errorf("hand over: %w", err)
		}
		key := h.w.keys.handover(h.w.o.RunGroup, cursors.Shard{Index: shard, Count: len(h.held)})
		if _, err := bucket.Write(ctx, h.w.store, key, seal.Add(key, body), bucket.Condition{}); err != nil {
			return fmt.Errorf("hand over: %w", err)
		}
	}
	return h.w.sweepHandovers(ctx)
}

// sweepHandovers deletes what was handed over a day ago, by the store's clock.
func (w *Writer) sweepHandovers(ctx context.Context) error {
	own, err := w.store.Stat(ctx, w.keys.lease(w.o.Shard.Index, w.o.Backfill))
	if err != nil {
		return nil // the clock is not told: another time
	}
	for info, err := range w.store.List(ctx, w.keys.handovers(), "") {
		if err != nil {
			return fmt.Errorf("sweep handovers: %w", err)
		}
		if own.StoreTime.Sub(info.Modified) < handoverAge || !w.keys.isHandover(info.Key) {
			continue
		}
		if err := w.store.Delete(ctx, info.Key); err != nil {
			return fmt.Errorf("sweep handovers: %w", err)
		}
	}
	return nil
}

// HandoverSigns tells whether it makes sense to wait for what a shard of the run
// group hands over: how much of it is there, in bytes, and whether the shard is at
// work.
func (w *Writer) HandoverSigns(ctx context.Context, from int) (size int64, alive bool, err error) {
	for info, err := range w.store.List(ctx, w.keys.handoverGroup(w.o.RunGroup), "") {
		if err != nil {
			return 0, false, fmt.Errorf("look for what is being handed over: %w", err)
		}
		size += info.Size
	}
	l, err := w.leases.get(ctx, w.keys.lease(from, w.o.Backfill))
	switch {
	case errors.Is(err, bucket.ErrNotExist):
		return size, false, nil
	case err != nil:
		return size, false, fmt.Errorf("see who hands over: %w", err)
	}
	return size, l.alive, nil
}

// HandedOver yields the records that another shard of the run group has left for
// this one, and what it said about them. It is nil, without an error, where
// nothing is there yet.
func (w *Writer) HandedOver(ctx context.Context) (records iter.Seq2[[]byte, error], about []byte, err error) {
	key := w.keys.handover(w.o.RunGroup, w.o.Shard)
	body, info, err := getSmall(ctx, w.store, key)
	switch {
	case errors.Is(err, bucket.ErrNotExist):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("look for what was handed over: %w", err)
	case info.StoreTime.Sub(info.Modified) > handoverOld:
		return nil, nil, nil
	}
	h, err := parseHanded(key, body)
	if err != nil {
		return nil, nil, fmt.Errorf("read what was handed over: %w", forged(key, err))
	}
	return func(yield func([]byte, error) bool) {
		for n := range h.Chunks {
			key := w.keys.handoverChunk(w.o.RunGroup, h.RunID, w.o.Shard, n)
			chunk, _, err := getSmall(ctx, w.store, key)
			if err != nil {
				yield(nil, fmt.Errorf("read what was handed over: %w", err))
				return
			}
			if n < len(h.Sums) && sumOf(chunk) != h.Sums[n] {
				yield(nil, fmt.Errorf("read what was handed over: %w", forged(key, errors.New("a chunk of it is damaged"))))
				return
			}
			for record, err := range handedRecords(chunk) {
				if err != nil {
					err = fmt.Errorf("read what was handed over: %w", forged(key, err))
				}
				if !yield(record, err) || err != nil {
					return
				}
			}
		}
	}, h.About, nil
}

// parseHanded reads what says that all is there.
func parseHanded(key string, body []byte) (h handed, err error) {
	if err = decode(body, &h); err != nil {
		return h, err
	}
	if err = h.ours(); err != nil {
		return h, err
	}
	_, err = seal.Check(key, body)
	if err == nil && h.Sums != nil && len(h.Sums) != h.Chunks {
		err = fmt.Errorf("it tells of %d chunks, and the sums of %d", h.Chunks, len(h.Sums))
	}
	return h, err
}

// handedRecords takes a chunk apart; empty records are none.
func handedRecords(chunk []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for len(chunk) > 0 {
			size, digits := binary.Uvarint(chunk)
			if digits <= 0 || size > uint64(len(chunk)-digits) { // not negative, since digits were read of it
				yield(nil, errors.New("it ends within a record"))
				return
			}
			end := digits + int(size) // within the chunk
			if size > 0 && !yield(chunk[digits:end], nil) {
				return
			}
			chunk = chunk[end:]
		}
	}
}
