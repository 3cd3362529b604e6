package jobs

// reserve keeps what a run that goes on must say at its end.
func (s *session) reserve(format string, args ...any) {}
