package jobs

import (
	"log/slog"
	"testing"
)

func TestAPanicInTheWriterIsNoUsersFailure(t *testing.T) {
	t.Parallel()
	s := &session{log: slog.New(slog.DiscardHandler)}
	defer func() {
		if v, ok := recover().(writePanic); !ok || v.of != "half written" {
			t.Errorf("the process goes on after %v", v.of)
		}
	}()
	err := s.guarded(t.Context(), "contracts", func() error {
		return unguarded(func() error { panic("half written") })
	})
	t.Errorf("it became %v", err)
}
