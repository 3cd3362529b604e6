// Package bucket is the object store that a run writes to: S3 and what speaks
// its protocol, or a local folder with the same guarantees, behind two small
// interfaces.
//
// # What a store promises
//
//   - An object is visible whole or not at all, and a nil error means that it
//     is durable.
//   - A conditional write is decided by the store: of any number of writers
//     with [Condition] IfNoneMatch, or with the same IfMatch, one wins.
//   - The parts of an upload are durable when they are acknowledged and seen by
//     nobody until the upload is completed. Completing may be repeated, by
//     anybody who knows the [Upload] and its [Part] list.
//   - Listings are ascending by key and see every write that ended before they
//     began.
//
// # Errors
//
// The sentinel errors say what is certain. Any other error leaves the outcome
// of a write unknown: read it back. That holds for [ErrPrecondition] too:
// the store was certainly not written to by the request that it answered, but
// this package repeats a request whose answer was lost, and the second one may
// find the object that the first one wrote. Who writes conditionally puts
// something of its own into the body and compares.
//
// Requests are retried in here (network errors, 5xx, throttling), within
// limits; callers repeat only what the commit protocol asks them to.
package bucket

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// MinPart is the smallest size of an upload's part other than the last.
const MinPart = 5 << 20

// MaxGet is the largest object that [Objects].Get returns; larger ones are
// read with [Objects].Open.
const MaxGet = 64 << 20

// The errors that callers decide by, all found with errors.Is.
var (
	// ErrNotExist: no object stands at the key.
	ErrNotExist = errors.New("no such object")
	// ErrPrecondition: the condition did not hold, and the request that was
	// answered wrote nothing. See the package comment about repeated requests.
	ErrPrecondition = errors.New("precondition failed")
	// ErrConflict: another conditional write was under way; repeat.
	ErrConflict = errors.New("conflicting write under way")
	// ErrNoUpload: the upload is gone, and the object at its key, if there
	// is one, is not what it would have become.
	ErrNoUpload = errors.New("no such upload")
	// ErrBadUpload: the upload is there, or may be, and can never be completed:
	// its parts are not those that were acknowledged, or none that the store takes.
	ErrBadUpload = errors.New("the upload cannot be completed")
	// ErrDenied: refused, bad credentials, or no such bucket; a person has to
	// put it right.
	ErrDenied = errors.New("access denied")
	// ErrUnsupported: the store refuses the kind of request, for instance
	// conditional writes.
	ErrUnsupported = errors.New("not supported by this store")
)

// Info is what a store says about an object.
type Info struct {
	Key  string
	Size int64
	// ETag names the content for [Condition].IfMatch. Opaque; a folder leaves
	// it empty in listings.
	ETag string
	// Modified is when the object was written, by the store's clock. From Put
	// it is the instant of the answer.
	Modified time.Time
	// StoreTime is the store's clock when it answered, to the second on S3;
	// zero in listings.
	StoreTime time.Time
	// Metadata was set when the object was created; nil in listings and in
	// folders.
	Metadata map[string]string
}

// Condition guards a Put. At most one of its fields is set; the zero value
// writes always.
type Condition struct {
	IfNoneMatch bool   // only where no object stands
	IfMatch     string // only over the object with this ETag
}

// Upload is an object that is being written in parts. It is stored in commit
// records, so that whoever finds one can complete it.
type Upload struct {
	Key string `json:"key"`
	ID  string `json:"id"`
	// Token is random and travels with the object as metadata: it tells this
	// upload's object from any other. Empty in listings of pending uploads.
	Token string `json:"token"`
}

// Part is a part of an upload as the store acknowledged it.
type Part struct {
	Number int    `json:"number"`
	ETag   string `json:"etag"` // opaque
	Size   int64  `json:"size"`
	CRC32  string `json:"crc32,omitempty"` // base64, big endian
}

// Reader reads one version of an object at random, concurrently if need be.
// Where the object is replaced, S3 fails with ErrPrecondition and a folder goes
// on reading what was there. On S3, ReadAt is one request a call, bound to the
// context that the object was opened with.
type Reader interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Objects reads and writes whole objects. All methods may be called
// concurrently.
type Objects interface {
	// Get returns an object of at most [MaxGet] bytes.
	Get(ctx context.Context, key string) ([]byte, Info, error)
	// Open prepares ranged reads of an object of any size.
	Open(ctx context.Context, key string) (Reader, error)
	// Put writes an object under a condition. It fails with ErrPrecondition
	// where the condition does not hold, and that includes an IfMatch on an
	// absent object.
	Put(ctx context.Context, key string, body []byte, cond Condition) (Info, error)
	// Stat describes an object. In a folder its cost grows with its size.
	Stat(ctx context.Context, key string) (Info, error)
	// Delete removes an object; that it is absent already is no error.
	Delete(ctx context.Context, key string) error
	// List yields the objects whose keys begin with prefix and are greater
	// than after, ascending. An error ends it.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]
}

// Uploads writes objects in parts, invisible until completed. All methods may
// be called concurrently.
type Uploads interface {
	// CreateUpload begins an upload.
	CreateUpload(ctx context.Context, key string) (Upload, error)
	// UploadPart stores a part; numbers run from 1 to 10,000, and all but the
	// last hold at least MinPart bytes. A part may be stored again: the Part
	// returned last is the one to complete with.
	UploadPart(ctx context.Context, up Upload, number int, body []byte) (Part, error)
	// CompleteUpload makes the object visible. It may be repeated: nil if the
	// object at the key already is this upload's. ErrNoUpload if the upload is
	// gone and no such object stands there.
	CompleteUpload(ctx context.Context, up Upload, parts []Part) error
	// AbortUpload drops an upload and its parts; that it is gone already
	// is no error.
	AbortUpload(ctx context.Context, up Upload) error
	// PendingUploads lists the uploads to exactly this key that are neither
	// completed nor aborted. Their Token may be empty.
	PendingUploads(ctx context.Context, key string) ([]Upload, error)
}

// Store is an object store, or a folder or key prefix in one. Keys are
// relative to it; see [ValidKey] for what they look like.
type Store interface {
	Objects
	Uploads
	// String is the store's URL without credentials.
	String() string
}
