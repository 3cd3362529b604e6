package sink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"finoos-syncer/internal/sink/attempts"
	"finoos-syncer/internal/sink/bucket"
)

// Of an object in the bucket no more is read than a run writes: whoever can write
// there could else have this program take all memory. What is larger, or would be
// when it is taken apart, is damage.

// The bounds of objects that are read as a whole, each some times what a run writes.
const (
	maxRecord   = 8 << 20  // of some 20,000 files, or of 50,000 parts of files
	maxStaging  = 32 << 20 // of all keys of a run
	maxLedger   = 32 << 20 // of all commits of a backfill
	maxReport   = 4 << 20
	maxHandover = 32 << 20 // a chunk, and one record of the API's
	maxNote     = 1 << 20  // what says a thing or two: leases, marks, definitions
)

// MostBytes is how large the object at a key may be for it to be read as a whole: see
// bucket.Options.
func MostBytes(key string) int64 {
	job := jobOf(key)
	if job == "" {
		return bucket.MaxGet
	}
	keys := jobKeys(job)
	for _, kind := range []struct {
		prefix, suffix string
		most           int64
	}{
		{keys.log(), recordSuffix, maxRecord},
		{keys.log(), "", maxNote},
		{keys.stagings(), "", maxStaging},
		{keys.leases(), "", maxNote},
		{keys.backfills(), "/ledger.json", maxLedger},
		{keys.backfills(), "", maxNote},
		{keys.states(), "", maxState},
		{keys.attempts(), "", attempts.MaxObject},
		{keys.reports(), "", maxReport},
		{keys.handovers(), "", maxHandover},
		{keys.selfTests(), "", maxNote},
	} {
		if strings.HasPrefix(key, kind.prefix) && strings.HasSuffix(key, kind.suffix) {
			return kind.most
		}
	}
	return bucket.MaxGet
}

// getSmall reads an object as a whole: ErrForged where it is larger than any run
// writes it.
func getSmall(ctx context.Context, store bucket.Objects, key string) ([]byte, bucket.Info, error) {
	most := MostBytes(key)
	body, info, err := store.Get(ctx, key)
	if errors.Is(err, bucket.ErrTooLarge) || err == nil && int64(len(body)) > most {
		return nil, info, forged(key, fmt.Errorf("it has more than %d bytes", most))
	}
	return body, info, err
}

// checkSmall refuses to write what getSmall would not read.
func checkSmall(key string, body []byte) error {
	if most := MostBytes(key); int64(len(body)) > most {
		return fmt.Errorf("write %s: it has %d bytes, at most %d are read", key, len(body), most)
	}
	return nil
}

// objectBytes is at least what a JSON object takes that a run writes into another, on
// average, and fewItems may be smaller, or be numbers in a list. Deeper than maxDepth
// nothing lies.
const (
	objectBytes = 32
	fewItems    = 1 << 10
	maxDepth    = 32
)

// decode reads JSON. Taken apart, it takes some times its size.
func decode(body []byte, into any) error {
	if err := checkShape(body); err != nil {
		return err
	}
	return unmarshal(body, into)
}

// unmarshal is for bodies of which nothing large is taken apart.
func unmarshal(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return errors.New(printable(err.Error())) // which may repeat all of a number
	}
	return nil
}

// checkShape refuses what would take far more memory than it has bytes: a list of
// nothing but empty objects, or of numbers where objects are due, a hundred times.
func checkShape(body []byte) error {
	objects, loose := 0, 0
	var within []byte
	for i := 0; i < len(body); i++ {
		switch c := body[i]; c {
		case '"':
			for i++; i < len(body) && body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if within = append(within, c); c == '{' {
				objects++
			} else {
				loose++
			}
		case '}', ']':
			within = within[:max(0, len(within)-1)]
		case ',':
			if len(within) > 0 && within[len(within)-1] == '[' && !bytes.HasPrefix(bytes.TrimLeft(body[i+1:], " \t\r\n"), []byte{'"'}) {
				loose++
			}
		}
		if len(within) > maxDepth {
			return errors.New("it is nested too deeply")
		}
	}
	if most := fewItems + len(body)/objectBytes; objects > most || loose > objects+most {
		return fmt.Errorf("it holds %d objects and %d other items in %d bytes", objects, loose, len(body))
	}
	return nil
}
