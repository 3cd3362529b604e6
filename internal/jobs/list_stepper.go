package jobs

import "iter"

// stepper goes through what is known of the users of a bucket beside a list of
// some of them: both are sorted by id, so that one user is held at a time.
type stepper[T any] struct {
	next func() (T, error, bool)
	stop func() // must be called
	id   func(T) string

	at    T
	begun bool
}

func newStepper[T any](all iter.Seq2[T, error], id func(T) string) *stepper[T] {
	s := &stepper[T]{id: id}
	s.next, s.stop = iter.Pull2(all)
	return s
}

// of returns what is known of a user, or nothing; who is asked for must come in
// order.
func (s *stepper[T]) of(id string) (known T, err error) {
	for !s.begun || s.id(s.at) < id {
		at, err, more := s.next()
		if err != nil || !more {
			return known, err
		}
		s.at, s.begun = at, true
	}
	if s.id(s.at) == id {
		return s.at, nil
	}
	return known, nil
}
