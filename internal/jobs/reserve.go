package jobs

import "fmt"

// reserve notes what a run that goes on must say at its end.
func (s *session) reserve(format string, args ...any) {
	s.log.Warn("the run is not whole", "reservation", fmt.Errorf(format, args...))
}
