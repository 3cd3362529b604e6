package bucket

import (
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"finoos-syncer/internal/trouble"

	"finoos-syncer/internal/trouble/troubletest"
)

type inMemory func(*http.Request) (*http.Response, error)

func (f inMemory) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answerOf(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// watched opens a store of S3 whose requests are answered by next, with what is said.
func watched(t *testing.T, next inMemory) (Store, *trouble.Watch, *troubletest.Lines) {
	t.Helper()
	said := &troubletest.Lines{}
	w := trouble.New(slog.New(slog.NewTextHandler(said, nil)))
	t.Cleanup(w.Close)
	listed := false
	s, err := Open(t.Context(), "s3://b/p?region=us-east-1&endpoint=https://store.example", Options{
		Credentials: &Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, Trouble: w,
		HTTPClient: &http.Client{Transport: inMemory(func(r *http.Request) (*http.Response, error) {
			if !listed {
				listed = true
				return answerOf(http.StatusOK, `<ListBucketResult></ListBucketResult>`), nil
			}
			return next(r)
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, w, said
}

func TestWhatTheSDKTriesAgainIsToldWhileItLasts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ill  func() (*http.Response, error)
		says string
	}{
		"throttled": {func() (*http.Response, error) { return answerOf(503, ""), nil }, `cause="503 Service Unavailable"`},
		"refused": {func() (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 9000}, Err: syscall.ECONNREFUSED}
		}, `cause="connection refused by 192.0.2.9:9000"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				well := time.Now().Add(7 * time.Second)
				s, w, said := watched(t, func(*http.Request) (*http.Response, error) {
					if time.Now().Before(well) {
						return tc.ill()
					}
					return answerOf(http.StatusOK, "body"), nil
				})
				for {
					if _, _, err := s.Get(t.Context(), "k"); err == nil {
						break
					}
				}
				lines := strings.Split(strings.TrimSpace(said.String()), "\n")
				if len(lines) != 2 || !strings.Contains(lines[0], `msg="the store does not serve" `+tc.says) || !strings.Contains(lines[1], "the store serves again") {
					t.Errorf("said: %s", said)
				}
				if n := w.Counts()[trouble.Store]; n.Times != 1 || n.Tries == 0 {
					t.Errorf("counted %+v", n)
				}
			})
		})
	}
}

func TestAStoreThatRefusesOrIsLeftIsInNoTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w, said := watched(t, func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				return answerOf(http.StatusForbidden, ""), nil
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		for range 10 {
			if _, _, err := s.Get(t.Context(), "k"); !errors.Is(err, ErrDenied) {
				t.Error(err)
			}
			time.Sleep(time.Second)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(6*time.Second, cancel)
		if err := s.Delete(ctx, "k"); err == nil {
			t.Error("deleted")
		}
		time.Sleep(time.Minute)
		if said.Len() > 0 || w.Counts() != nil {
			t.Errorf("said %s, counted %+v", said, w.Counts())
		}
	})
}

// hung is a folder on a disk that hangs for a time.
type hung struct {
	Store
	until time.Time
}

func (h hung) Stat(context.Context, string) (Info, error) {
	time.Sleep(time.Until(h.until))
	return Info{}, ErrNotExist
}

func (h hung) List(context.Context, string, string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for range 3 {
			if !yield(Info{}, nil) {
				return
			}
		}
	}
}

func TestAFolderThatHangsIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		said := &troubletest.Lines{}
		w := trouble.New(slog.New(slog.NewTextHandler(said, nil)))
		defer w.Close()
		s := watchedFolder{hung{until: time.Now().Add(40 * time.Second)}, w}
		if _, err := s.Stat(t.Context(), "k"); !errors.Is(err, ErrNotExist) {
			t.Error(err)
		}
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], `msg="the store does not serve" cause="nothing comes back" for="15 s"`) || !strings.Contains(lines[1], `for="40 s"`) {
			t.Errorf("said: %s", said)
		}
		said.Reset()
		seen := 0
		for _, err := range s.List(t.Context(), "", "") {
			if err != nil {
				t.Error(err)
			}
			seen++
			time.Sleep(5 * time.Minute) // what its reader does is no silence
		}
		for _, err := range s.List(t.Context(), "", "") {
			if err != nil {
				t.Error(err)
			}
			break
		}
		time.Sleep(5 * time.Minute)
		if seen != 3 || said.Len() > 0 {
			t.Errorf("%d listed, said: %s", seen, said)
		}
	})
}
