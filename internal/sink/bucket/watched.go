package bucket

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"

	"finoos-syncer/internal/trouble"
)

// watchedRequests tells a watch what comes of each request to S3, those too that the
// SDK makes again by itself: of them its callers learn nothing.
type watchedRequests struct {
	watch *trouble.Watch
	next  http.RoundTripper
}

func (w *watchedRequests) RoundTrip(req *http.Request) (*http.Response, error) {
	w.watch.Begin(trouble.Store)
	defer w.watch.End(trouble.Store)
	resp, err := w.next.RoundTrip(req)
	switch {
	case err != nil && errors.Is(req.Context().Err(), context.Canceled):
	case err != nil:
		cause := trouble.CauseOr(err, transportDetail(err))
		w.watch.Failed(trouble.Store, trouble.Failure{Cause: cause.What, Do: cause.Do})
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests:
		w.watch.Failed(trouble.Store, trouble.Failure{Cause: fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))})
	default:
		w.watch.Good(trouble.Store)
	}
	return resp, err
}

// watchedFolder tells a watch how long a folder takes, which may be on a disk that
// hangs. What a folder fails at is not tried again, and its callers tell it.
type watchedFolder struct {
	Store
	watch *trouble.Watch
}

// during is called before something is asked of the folder, and what it returns after.
func (w watchedFolder) during() (done func()) {
	w.watch.Begin(trouble.Store)
	return func() {
		w.watch.End(trouble.Store)
		w.watch.Good(trouble.Store)
	}
}

func (w watchedFolder) Get(ctx context.Context, key string) ([]byte, Info, error) {
	defer w.during()()
	return w.Store.Get(ctx, key)
}

func (w watchedFolder) Open(ctx context.Context, key string) (Reader, error) {
	defer w.during()()
	return w.Store.Open(ctx, key)
}

func (w watchedFolder) Put(ctx context.Context, key string, body []byte, cond Condition) (Info, error) {
	defer w.during()()
	return w.Store.Put(ctx, key, body, cond)
}

func (w watchedFolder) Stat(ctx context.Context, key string) (Info, error) {
	defer w.during()()
	return w.Store.Stat(ctx, key)
}

func (w watchedFolder) Delete(ctx context.Context, key string) error {
	defer w.during()()
	return w.Store.Delete(ctx, key)
}

// List is under way while the next object is looked for, and not while its caller
// does something with the last one.
func (w watchedFolder) List(ctx context.Context, prefix, after string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		done := w.during()
		defer func() { done() }()
		for info, err := range w.Store.List(ctx, prefix, after) {
			done()
			goesOn := yield(info, err)
			done = w.during()
			if !goesOn {
				return
			}
		}
	}
}

func (w watchedFolder) CreateUpload(ctx context.Context, key string) (Upload, error) {
	defer w.during()()
	return w.Store.CreateUpload(ctx, key)
}

func (w watchedFolder) UploadPart(ctx context.Context, up Upload, number int, body []byte) (Part, error) {
	defer w.during()()
	return w.Store.UploadPart(ctx, up, number, body)
}

func (w watchedFolder) CompleteUpload(ctx context.Context, up Upload, parts []Part) error {
	defer w.during()()
	return w.Store.CompleteUpload(ctx, up, parts)
}

func (w watchedFolder) AbortUpload(ctx context.Context, up Upload) error {
	defer w.during()()
	return w.Store.AbortUpload(ctx, up)
}

func (w watchedFolder) PendingUploads(ctx context.Context, key string) ([]Upload, error) {
	defer w.during()()
	return w.Store.PendingUploads(ctx, key)
}
