package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
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

// maxConnections is how many callers one address serves at a time; the others
// wait, and those that say nothing are sent away soon.
const maxConnections = 256

// How long a caller may take: for a request, and between two.
const (
	requestTime = 10 * time.Second
	idleTime    = time.Minute
)

// What a caller may say, in bytes.
const (
	maxHeader = 32 << 10
	maxBody   = 1 << 20
)

// newServer is a server that no caller can hold up for ever, nor fill the memory
// of. answer is how long one may take to be sent. ReadTimeout has it too: its end
// cancels the context of a request that is still being answered.
func newServer(h http.Handler, answer time.Duration) *http.Server {
	return &http.Server{
		Handler: http.MaxBytesHandler(h, maxBody), ReadHeaderTimeout: requestTime, ReadTimeout: requestTime + answer,
		WriteTimeout: requestTime + answer, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
	}
}

func bounded(l net.Listener) net.Listener { return netutil.LimitListener(l, maxConnections) }

// isLoopback says whether only this machine can reach an address.
func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// webServer serves one address.
type webServer struct {
	flag, address string
	handler       http.Handler
	answer        time.Duration // that sending one may take
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
	server := newServer(s.handler, s.answer)
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(bounded(s.listener)); ctx.Err() == nil {
		return fmt.Errorf("serve on %s: %w", s.address, err)
	}
	return nil
}
