package selftest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"finoos-syncer/internal/sink/bucket"
)

const prefix = "_syncer/j/selftest/"

func keysOf(run string) Keys { return Keys{Conditions: prefix + run, Upload: prefix + "_" + run} }

func runOf(key string) string {
	return strings.TrimPrefix(strings.TrimPrefix(key, prefix), "_")
}

func folder(t *testing.T) bucket.Store {
	t.Helper()
	store, err := bucket.Open(t.Context(), "file://"+t.TempDir(), bucket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// checkEmpty fails where a test has left something.
func checkEmpty(t *testing.T, store bucket.Store) {
	t.Helper()
	for info, err := range store.List(t.Context(), "", "") {
		t.Errorf("left behind: %s (%v)", info.Key, err)
	}
	for _, key := range []string{keysOf("run").Conditions, keysOf("run").Upload} {
		pending, err := store.PendingUploads(t.Context(), key)
		if err != nil || len(pending) > 0 {
			t.Errorf("left pending: %v (%v)", pending, err)
		}
	}
}

func TestAStoreThatLiesIsFoundOut(t *testing.T) {
	t.Parallel()
	for name, lie := range lies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := folder(t)
			lie.store.Store = store
			err := Run(t.Context(), &lie.store, keysOf("run"))
			if !errors.Is(err, ErrLying) || !strings.Contains(err.Error(), lie.says) || strings.Contains(err.Error(), "\n") && lie.store.complete == nil {
				t.Errorf("got %v, want that it says %q", err, lie.says)
			}
			if lie.store.remove == nil && lie.store.abort == nil {
				checkEmpty(t, store)
			}
		})
	}
}

func TestAnHonestStorePassesAndIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	store := folder(t)
	if err := Run(t.Context(), store, keysOf("run")); err != nil {
		t.Fatal(err)
	}
	checkEmpty(t, store)
}

// TestAnHonestStoreThatIsUnhappyPasses: answers are lost, and requests meet others.
func TestAnHonestStoreThatIsUnhappyPasses(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(n int, do func() error) error{
		"the winner's answer is lost": func(_ int, do func() error) error {
			if do() == nil {
				return errors.New("connection reset by peer")
			}
			return bucket.ErrPrecondition
		},
		"the winner's request was repeated inside": func(_ int, do func() error) error {
			_ = do()
			return bucket.ErrPrecondition
		},
		"every other request meets another": func(n int, do func() error) error {
			if n%2 == 1 {
				return bucket.ErrConflict
			}
			return do()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := folder(t)
			asked := make(chan int, 1)
			asked <- 0
			unhappy := &liar{Store: store, put: func(s bucket.Store, key string, body []byte, cond bucket.Condition) (info bucket.Info, err error) {
				n := <-asked + 1
				asked <- n
				err = put(n, func() error { info, err = s.Put(background, key, body, cond); return err })
				return info, err
			}}
			if err := Run(t.Context(), unhappy, keysOf("run")); err != nil {
				t.Error(err)
			}
			checkEmpty(t, store)
		})
	}
}

func TestATestThatBreaksOffLeavesNothing(t *testing.T) {
	t.Parallel()
	broken := errors.New("the store is down")
	for name, l := range map[string]*liar{
		"at a part":       {create: func(up bucket.Upload, _ error) (bucket.Upload, error) { return up, broken }},
		"at a completion": {complete: func(bucket.Store, bucket.Upload, []bucket.Part) error { return broken }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l.Store = folder(t)
			if err := Run(t.Context(), l, keysOf("run")); !errors.Is(err, broken) || errors.Is(err, ErrLying) {
				t.Errorf("got %v, want the fault", err)
			}
			checkEmpty(t, l.Store)
		})
	}
	t.Run("with its caller", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		l := &liar{Store: folder(t), create: func(up bucket.Upload, err error) (bucket.Upload, error) {
			cancel()
			return up, err
		}}
		if err := Run(ctx, l, keysOf("run")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that it was cancelled", err)
		}
		checkEmpty(t, l.Store)
	})
}

func TestLeftoversOfDeadSelfTestsAreSweptAndLivingOnesAreNot(t *testing.T) {
	t.Parallel()
	store := folder(t)
	for _, run := range []string{"dead", "alive"} {
		for _, key := range []string{keysOf(run).Conditions, keysOf(run).Upload} {
			if _, err := store.CreateUpload(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Put(t.Context(), key, []byte("x"), bucket.Condition{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	living := func(ctx context.Context) (func(string) bool, error) {
		// One that begins its test while it is asked who is alive is not seen.
		_, err := store.Put(ctx, keysOf("late").Conditions, []byte("x"), bucket.Condition{})
		return func(run string) bool { return run == "alive" }, err
	}
	if err := Sweep(t.Context(), store, prefix, runOf, keysOf, living); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Stat(t.Context(), keysOf("late").Conditions); err != nil {
		t.Errorf("swept from under a run that had just begun: %v", err)
	}
	for run, want := range map[string]int{"dead": 0, "alive": 1} {
		for _, key := range []string{keysOf(run).Conditions, keysOf(run).Upload} {
			_, err := store.Stat(t.Context(), key)
			stands := err == nil
			pending, err := store.PendingUploads(t.Context(), key)
			if err != nil || len(pending) != want || stands != (want == 1) {
				t.Errorf("%s: %d uploads, object stands: %v, %v", key, len(pending), stands, err)
			}
		}
	}
}
