package attempts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"finoos-syncer/internal/id"
	"finoos-syncer/internal/sink/seal"
)

// Attempt is a session that a bank is about to be asked for. It holds no secret.
type Attempt struct {
	UserID  string    `json:"user_id"`
	LoginID string    `json:"bank_login_id"`
	At      time.Time `json:"at"` // by the clock of the data
}

// noteObject is what stands in the bucket.
type noteObject struct {
	Version  int       `json:"version"`
	RunID    string    `json:"run_id"`
	Attempts []Attempt `json:"attempts"`
}

const (
	version = 1
	// most bounds the attempts of an object.
	most = 256
	// MaxObject bounds the bytes of an object: two ids of the longest for each, escaped.
	MaxObject = 4 << 20
)

// objectName is what the name of an object looks like: run, shard, number.
var objectName = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._-]{0,99})-(\d{1,3})-(\d{1,12})\.json$`)

// RunOf is the run that an object is of, by its key's last part; "" for what is not
// ours.
func RunOf(name string) string {
	if m := objectName.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}

// encode makes the bytes of an object.
func encode(runID string, list []Attempt) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(noteObject{Version: version, RunID: runID, Attempts: list}); err != nil {
		return nil, fmt.Errorf("encode attempts: %w", err)
	}
	return b.Bytes(), nil
}

// Check reports why a run would pass over the object of another one at a key, nil if it
// would not.
func Check(key string, body []byte, runID string) error {
	_, err := read(key, body, runID)
	return err
}

// read reads the object of a run at a key.
func read(key string, body []byte, runID string) ([]Attempt, error) {
	if _, err := seal.Check(key, body); err != nil {
		return nil, err
	}
	return parse(body, runID)
}

// parse reads an object of a run. Whatever is not as this package writes it is
// refused: who reads it half might ask a bank again.
func parse(body []byte, runID string) ([]Attempt, error) {
	if len(body) > MaxObject {
		return nil, errors.New("it is too large")
	}
	var o noteObject
	if err := json.Unmarshal(body, &o); err != nil {
		return nil, errors.New("it is no JSON of attempts") // what it holds may be personal
	}
	switch {
	case o.Version > version:
		return nil, errors.New("it is of a newer program")
	case o.Version != version || o.RunID != runID:
		return nil, errors.New("it does not name its run")
	case len(o.Attempts) == 0 || len(o.Attempts) > most:
		return nil, fmt.Errorf("it holds %d attempts", len(o.Attempts))
	}
	for i, a := range o.Attempts {
		if !id.Valid(a.UserID) || !id.Valid(a.LoginID) || a.At.Year() < 2000 || a.At.Year() > 9999 {
			return nil, fmt.Errorf("attempt %d names no user, login and time", i)
		}
		o.Attempts[i].At = a.At.UTC()
	}
	return o.Attempts, nil
}
