package pull

import (
	"slices"
	"time"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/jobs/joined"
)

// Joined is one answer that has several streams of a user. It stands for their
// endpoints, or is compared with what these tell.
type Joined struct {
	Body    *finoos.Joined
	View    *finoos.JoinedView
	Streams []config.Stream
	Compare *joined.Comparison // nil where it stands for them
	Began   time.Time          // the run, by the clock of the data
}

// CloseJoined gives back an answer that nobody needs any more.
func (u *User) CloseJoined() {
	if u.Joined != nil {
		_ = u.Joined.Body.Close() // frees memory; nothing is lost by an error
	}
	u.Joined = nil
}

// has says that the one answer is about a stream.
func (j *Joined) has(s config.Stream) bool { return j != nil && slices.Contains(j.Streams, s) }

// CameJoined says that a stream was read by one answer with others: its own endpoint was
// not asked.
func (res *Result) CameJoined() bool { return !res.joinedAt.IsZero() }

// wholeOf is all that the API has of a stream: of the one answer, or of its endpoint.
// What is compared is told to who compares; that the endpoint's answer cannot be read is
// for who reads it next.
func wholeOf[T any](
	u *User, res *Result, of func(*Joined) *finoos.List[T], ask func() (*finoos.List[T], error), tell func(*joined.Comparison, *finoos.List[T]) error,
) (*finoos.List[T], error) {
	j := u.Joined
	if j.has(res.Stream) && j.Compare == nil {
		res.joinedAt = j.Began
		return of(j), nil
	}
	list, err := ask()
	if err == nil && j.has(res.Stream) {
		_ = tell(j.Compare, list) // incomplete, then, and no comparison
	}
	return list, err
}
