package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"
)

// readiness is what the probes of an orchestrator ask for.
type readiness struct {
	state atomic.Int32
}

// The states of readiness.
const (
	isStarting int32 = iota
	isReady
	isStopping
)

// ready says that schedules are kept, unless it is being stopped already.
func (h *readiness) ready() { h.state.CompareAndSwap(isStarting, isReady) }

func (h *readiness) stopping() { h.state.Store(isStopping) }

// routes are those of --listen.
func (h *readiness) routes(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch h.state.Load() {
		case isReady:
			say(w, http.StatusOK, "ready")
		case isStopping:
			say(w, http.StatusServiceUnavailable, "stopping")
		default:
			say(w, http.StatusServiceUnavailable, "starting")
		}
	})
	return mux
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text) // the asker may be gone
}

// profiles are those of --pprof.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// webServer serves one address.
type webServer struct {
	flag, address string
	handler       http.Handler
	listener      net.Listener
}

// open takes the port, so that a wrong address is known before anything begins.
func (s *webServer) open(ctx context.Context) (err error) {
	if s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", s.address); err != nil {
		return usagef("%s %s: %w", s.flag, s.address, err)
	}
	return nil
}

func (s *webServer) close() { _ = s.listener.Close() } // closed already where it was served

// serve serves until ctx ends.
func (s *webServer) serve(ctx context.Context) error {
	server := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(s.listener); ctx.Err() == nil {
		return fmt.Errorf("serve on %s: %w", s.address, err)
	}
	return nil
}
