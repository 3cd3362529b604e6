package sink

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"finoos-syncer/internal/sink/bucket"
	"finoos-syncer/internal/sink/seal"
)

// What a job remembers beside cursors are small objects, one a purpose. They are
// no part of a commit: where one is lost, or older than the log, the next run
// knows less than it could, and nothing that was committed is touched by that.

const (
	// stateVersion is that of the objects that are written, and the newest read.
	stateVersion = 1
	// maxState bounds an object, in bytes: one that is larger is not read.
	maxState = 1 << 20
	// stateRounds is how often an update gives way to others before it gives up.
	stateRounds = 64
)

// validState is what the name of a state object looks like.
var validState = regexp.MustCompile(`^[a-z0-9_-]{1,100}$`)

// stateObject is what stands in the bucket. The nonce tells who wrote it last.
type stateObject struct {
	Version int    `json:"version"`
	RunID   string `json:"run_id"`
	Nonce   string `json:"nonce"`
	// Seq is the newest record that its writer knew of, and Record that record's sum.
	Seq    uint64          `json:"seq,omitempty"`
	Record string          `json:"record_sha256,omitempty"`
	State  json.RawMessage `json:"state"`
}

// ReadState returns the state object of that name as it stands: JSON, or nil where
// there is none. One that is damaged, too large or of another program's is
// [ErrState]: the caller warns, and goes on as if there were none.
func ReadState(ctx context.Context, store bucket.Store, job, name string) ([]byte, error) {
	if err := checkName("job", job); err != nil {
		return nil, err
	}
	if err := checkState(name); err != nil {
		return nil, err
	}
	o, _, err := getState(ctx, store, jobKeys(job).state(name))
	return o.State, err
}

// ReadState is the function of that name for the writer's own job.
func (w *Writer) ReadState(ctx context.Context, name string) ([]byte, error) {
	return ReadState(ctx, w.store, w.o.Job, name)
}

// UpdateState replaces a state object by what merge makes of the one that stands:
// JSON of at most a mebibyte; nil leaves it. old is nil where there is none, and
// where what stands there cannot be read (it is then written anew, with a
// warning).
//
// The write is conditional, and repeated where somebody else came first: merge is
// called again with what stands then, which may hold its own result already. It
// must not call methods of the writer other than Seq. A run that was overtaken
// writes nothing: ErrOvertaken. Cancelling ctx cuts it short as it does Commit.
func (w *Writer) UpdateState(ctx context.Context, name string, merge func(old []byte) ([]byte, error)) error {
	if err := checkState(name); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := outlive(ctx, w.o.patience.grace)
	defer cancel()
	u := stateUpdate{w: w, name: name, merge: merge, nonce: rand.Text()}
	if err := u.run(ctx); err != nil {
		return fmt.Errorf("update state %s: %w", name, err)
	}
	return nil
}

// Seq is the number of the log at which this run stands: of its own last commit,
// or of the newest record when it began.
func (w *Writer) Seq() uint64 { return w.seq.Load() }

func checkState(name string) error {
	if !validState.MatchString(name) {
		return fmt.Errorf("state %q: use lower-case letters, digits, '_' and '-' only, at most 100", name)
	}
	return nil
}

// getState reads a state object; the zero value where none stands. info is of
// what stands, readable or not.
func getState(ctx context.Context, store bucket.Objects, key string) (o stateObject, info bucket.Info, err error) {
	info, err = store.Stat(ctx, key)
	if errors.Is(err, bucket.ErrNotExist) {
		return o, bucket.Info{}, nil
	}
	if err != nil {
		return o, info, fmt.Errorf("look at state: %w", err)
	}
	if info.Size > maxState {
		return o, info, fmt.Errorf("%w: %s has %d bytes, at most %d are read", ErrState, key, info.Size, maxState)
	}
	body, info, err := getSmall(ctx, store, key)
	if errors.Is(err, bucket.ErrNotExist) {
		return o, bucket.Info{}, nil
	}
	if err != nil {
		return o, info, fmt.Errorf("read state: %w", err)
	}
	if _, err = seal.Check(key, body); err == nil {
		o, err = parseState(body)
	}
	if err != nil {
		return stateObject{}, info, fmt.Errorf("%w: %s: %w", ErrState, key, err)
	}
	return o, info, nil
}

// errNewerState says that a newer program wrote the object: it is not replaced.
var errNewerState = errors.New("it is of a newer version: use a newer program")

func parseState(body []byte) (o stateObject, err error) {
	if err := unmarshal(body, &o); err != nil {
		return o, err
	}
	switch {
	case o.Version > stateVersion:
		return o, errNewerState
	case o.Version != stateVersion || o.Nonce == "" || len(o.State) == 0 || string(o.State) == "null":
		return o, errors.New("it is none that a run has written")
	}
	return o, nil
}
