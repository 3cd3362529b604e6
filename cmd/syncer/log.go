package main

import (
	"io"
	"log/slog"
)

// newLogger returns the one logger of the process.
func newLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, usagef("--log-level is %q: write debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: least}
	if format == formatJSON {
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return slog.New(slog.NewTextHandler(w, opts)), nil
}
