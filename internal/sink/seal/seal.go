// Package seal lets a small object of JSON say itself whether it is whole, and whether
// it stands where it was written to: it ends with a SHA-256 over its key and all that
// comes before.
//
//	{"run_id":"r1","chunks":2,"sha256":"<of the key, a line feed, and {"run_id":"r1","chunks":2,>"}
//
// So a bit that has flipped, and an object that was copied to another key, are told from
// what a run has written. It is no signature: who can write to the bucket can seal.
// Objects of earlier versions have no seal, and are read without it.
package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// ErrBroken says that an object is not what was written to its key.
var ErrBroken = errors.New("it is damaged, or was written to another key: its sha256 is not that of its key and content")

const (
	field  = `"sha256":"`
	ending = `"}`
	length = len(field) + 2*sha256.Size + len(ending)
)

// Add seals an object of JSON.
func Add(key string, body []byte) []byte {
	sealed := bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(bytes.Clone(body)), []byte("}")))
	if len(sealed) > 1 { // not only what it begins with
		sealed = append(sealed, ',')
	}
	return append(sealed, end(key, sealed)...)
}

// Check returns [ErrBroken] where the seal is not that of the object; whole is false
// where there is none to tell by.
func Check(key string, body []byte) (whole bool, err error) {
	body = bytes.TrimSpace(body)
	at := len(body) - length
	if at < 0 || !hasSeal(body[at:]) {
		return false, nil
	}
	if !bytes.Equal(body[at:], end(key, body[:at])) {
		return false, ErrBroken
	}
	return true, nil
}

// hasSeal says whether an object ends as one that was sealed, damaged or not: a bit
// that has flipped leaves one of the two halves as it was.
func hasSeal(end []byte) bool {
	digits := end[len(field) : length-len(ending)]
	_, err := hex.DecodeString(string(digits))
	return bytes.HasPrefix(end, []byte(field)) || err == nil && bytes.HasSuffix(end, []byte(ending))
}

// end is what an object ends with that begins with body.
func end(key string, body []byte) []byte {
	h := sha256.New()
	_, _ = h.Write(append([]byte(key), '\n')) // a hash takes everything
	_, _ = h.Write(body)
	return append(hex.AppendEncode([]byte(field), h.Sum(nil)), ending...)
}
