package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// get is the status and body of a page.
func get(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(w.Code) + " " + strings.TrimSpace(string(body))
}

func TestReadyMeansThatSchedulesAreKeptAndNotStopping(t *testing.T) {
	t.Parallel()
	var h readiness
	routes := h.routes(http.NotFoundHandler())
	for _, step := range []struct {
		enter func()
		want  string
	}{
		{func() {}, "503 starting"},
		{h.ready, "200 ready"},
		{h.stopping, "503 stopping"},
		{h.ready, "503 stopping"}, // it was told to stop before it had begun
	} {
		step.enter()
		if got := get(t, routes, "/readyz"); got != step.want {
			t.Errorf("/readyz says %s, want %s", got, step.want)
		}
		if got := get(t, routes, "/healthz"); got != "200 alive" {
			t.Errorf("/healthz says %s", got)
		}
	}
	if got := get(t, routes, "/debug/pprof/"); !strings.HasPrefix(got, "404") {
		t.Errorf("profiles stand beside the metrics: %s", got)
	}
	if got := get(t, profiles(), "/debug/pprof/goroutine?debug=1"); !strings.HasPrefix(got, "200 goroutine profile") {
		t.Errorf("no profile: %.100s", got)
	}
}

func TestAServerWhosePortIsTakenAwayFails(t *testing.T) {
	t.Parallel()
	s := &webServer{flag: "--listen", address: "127.0.0.1:0", handler: http.NotFoundHandler()}
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := &webServer{flag: "--listen", address: s.listener.Addr().String()}
	if err := again.open(t.Context()); err == nil || exitCode(t.Context(), err) != exitUsage {
		t.Errorf("a taken port: %v", err)
	}
	s.close()
	if err := s.serve(t.Context()); err == nil {
		t.Error("it serves on a port that it has lost")
	}
	if err := again.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	again.handler = http.NotFoundHandler()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := again.serve(ctx); err != nil {
		t.Errorf("stopped, but %v", err)
	}
}
