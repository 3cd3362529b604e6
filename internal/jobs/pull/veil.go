package pull

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"

	"finoos-syncer/internal/finoos"
	"finoos-syncer/internal/jobs/config"
	"finoos-syncer/internal/sink/cursors"
	"finoos-syncer/internal/sink/table"
)

// Veil keeps what a job remembers from telling what its tables hide
// (docs/design.md, "What is hidden"): sums of hashes, and ids, from which a masked
// value could be tried out by whoever reads the bucket.
//
//	mask_key ──> states, ids of logins, lists for other shards are sealed (AES-256-GCM)
//	without  ──> nothing is hashed, and hidden is what is dropped: fingerprints are of
//	             the rows as they are written, which tell nothing that these do not
//
// nil hides nothing.
type Veil struct {
	masking *table.Masking
	root    []byte // of all keys; nil where there is no mask_key to rely on
	users   uint32 // how ids of users are hashed, 0 where they are not
	streams map[config.Stream]veiled
	blind   bool // the mask is not known
}

// BlindVeil is for who only counts, and does not know the mask: no rows are taken for
// hidden in another way.
func BlindVeil() *Veil { return &Veil{blind: true} }

// veiled is what is hidden of a stream's table.
type veiled struct {
	mask uint32 // which columns, in what way, by which key; 0 for none
	keys uint32 // the same of the columns of its key, those that are dropped never being one
}

const (
	// sealedVersion begins a sealed state, in the place of stateVersion.
	sealedVersion = 3
	sealedHeader  = 1 + 4 + 4
	// sealedUnit is what the length of what is sealed is rounded up to: how long an id
	// is may tell what it is.
	sealedUnit = 64
	// ruleBits of a cursor's HashVersion are the rule by which records are hashed; what
	// stands above is the mask.
	ruleBits = 4
	maskBits = 27
)

// NewVeil makes what keeps a job's memory, nil where nothing is hidden.
func NewVeil(m *table.Masking) *Veil {
	if m == nil {
		return nil
	}
	v := &Veil{masking: m, streams: map[config.Stream]veiled{}}
	if len(m.Key) >= table.MinMaskKey {
		// The mask_key is the message here and the key of what stands in the tables: none
		// of these values is one of those.
		root, err := hkdf.Extract(sha256.New, m.Key, []byte("finoos-syncer: what cursors of a masked job remember"))
		if err != nil {
			panic(err) // of hashes that are not approved alone
		}
		v.root = root
	}
	for _, s := range config.Streams() {
		v.streams[s] = veiled{mask: v.tag(m.Describe(string(s), false)), keys: v.tag(m.Describe(string(s), true))}
	}
	if m.Tables[table.UsersName].Columns["user_id"] != "" {
		v.users = v.streams[config.StreamUsers].keys
	}
	return v
}

// tag tells descriptions of a mask apart, and the keys of those that hash.
func (v *Veil) tag(description string, hashes bool) uint32 {
	if description == "" {
		return 0
	}
	mode := "rows\x00"
	var key []byte
	if v.root != nil {
		mode = "sealed\x00"
	}
	if hashes {
		key = v.expand("tags")
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(mode + description)) // never fails
	return max(1, binary.LittleEndian.Uint32(mac.Sum(nil))>>(32-maskBits))
}

func (v *Veil) expand(what string) []byte {
	key, err := hkdf.Expand(sha256.New, v.root, what, sha256.Size)
	if err != nil {
		panic(err) // of keys that are too long alone
	}
	return key
}

func (v *Veil) of(s config.Stream) veiled {
	if v == nil {
		return veiled{}
	}
	return v.streams[s]
}

// seals says that what is remembered is sealed.
func (v *Veil) seals() bool { return v != nil && v.root != nil }

// hashVersion is how the fingerprints of a stream are made.
func (v *Veil) hashVersion(s config.Stream) int {
	return finoos.HashVersion | int(v.of(s).mask)<<ruleBits
}

// HasOtherMask says that the rows of a cursor's stream were hidden in another way
// than they are now, or by another key: the same value stands there as another.
func (v *Veil) HasOtherMask(c cursors.Cursor) bool {
	if v != nil && v.blind {
		return false
	}
	return !c.PulledAt.IsZero() && uint32(c.HashVersion>>ruleBits) != v.of(config.Stream(c.Stream)).mask // of maskBits
}

// TellsMask says that a cursor is one of which it can be told.
func TellsMask(c cursors.Cursor) bool {
	return !c.PulledAt.IsZero() && slices.Contains(config.Streams(), config.Stream(c.Stream))
}

// HasOtherUsers says the same of the ids of users: rows under those of before are
// never replaced.
func (v *Veil) HasOtherUsers(c cursors.Cursor) bool {
	var now uint32
	if v != nil {
		now = v.users
	}
	return v.HasOtherMask(c) && usersOf(c.State) != now
}

// hasOtherKeys says the same of the key of a stream's rows. The state of a pull that was
// taken back does not tell of those before it.
func (v *Veil) hasOtherKeys(c cursors.Cursor) bool {
	return v.HasOtherMask(c) && (c.Erased || keysOf(c.State) != v.of(config.Stream(c.Stream)).keys)
}

func usersOf(state []byte) uint32 { return headerOf(state, 1) }
func keysOf(state []byte) uint32  { return headerOf(state, 5) }

func headerOf(state []byte, at int) uint32 {
	if len(state) < sealedHeader || state[0] != sealedVersion {
		return 0 // where states are not sealed, keys are not hashed
	}
	return binary.LittleEndian.Uint32(state[at:])
}

// sealer is AES-256-GCM under a key that is one cursor's own, so that any number of
// them may be sealed under random nonces.
func (v *Veil) sealer(user, what string) cipher.AEAD {
	name := binary.AppendUvarint([]byte("state\x00"), uint64(len(user)))
	block, err := aes.NewCipher(v.expand(string(name) + user + what))
	if err == nil {
		var aead cipher.AEAD
		if aead, err = cipher.NewGCMWithRandomNonce(block); err == nil {
			return aead
		}
	}
	panic(err) // of keys of another length alone
}

// sealTo appends to dst what is sealed, behind its nonce.
func (v *Veil) sealTo(dst []byte, user, what string, text, beside []byte) []byte {
	return v.sealer(user, what).Seal(dst, nil, padded(text), beside) //nolint:gosec // G407: there is none: the sealer makes a random one
}

// seal is the state of a cursor as it is kept.
func (v *Veil) seal(user string, s config.Stream, state []byte) []byte {
	if !v.seals() {
		return state
	}
	header := binary.LittleEndian.AppendUint32([]byte{sealedVersion}, v.users)
	header = binary.LittleEndian.AppendUint32(header, v.of(s).keys)
	return v.sealTo(header, user, string(s), state, header)
}

// open is the state of a cursor as it was sealed. What cannot be opened stays as it
// is: no state begins like that, and it cannot be decoded.
func (v *Veil) open(c cursors.Cursor) []byte {
	if !v.seals() || len(c.State) < sealedHeader || c.State[0] != sealedVersion {
		return c.State
	}
	header, sealed := c.State[:sealedHeader], c.State[sealedHeader:]
	text, err := v.sealer(c.UserID, c.Stream).Open(nil, nil, sealed, header)
	if err != nil {
		return c.State
	}
	return unpadded(text)
}

const padMark = 0x80

func padded(text []byte) []byte {
	b := make([]byte, 0, (len(text)/sealedUnit+1)*sealedUnit)
	b = append(append(b, text...), padMark)
	return b[:cap(b)] // zeros follow
}

// unpadded is nil where nothing was padded.
func unpadded(b []byte) []byte {
	end := len(b)
	for end > 0 && b[end-1] != padMark {
		end--
	}
	if end <= 1 {
		return nil
	}
	return b[:end-1]
}

const (
	// sealedText begins a text that is sealed.
	sealedText = "sealed:"
	// longestSealed is the longest text that is: what comes of it is an id, too.
	longestSealed = 640
	logins        = "logins"
)

// SealLogin is the id of a user's login as it is noted beside the tables.
func (v *Veil) SealLogin(user, id string) string {
	if !v.seals() || len(id) > longestSealed {
		return id
	}
	return sealedText + base64.RawURLEncoding.EncodeToString(v.sealTo(nil, user, logins, []byte(id), nil))
}

// SealText is what is remembered of a user's logins beside their ids; empty where it
// cannot be sealed, and is not to be remembered.
func (v *Veil) SealText(user, text string) string {
	if !v.seals() || len(text) > longestSealed {
		return ""
	}
	return v.SealLogin(user, text)
}

// Bares says that an id of a login is noted as it is, though it would be sealed now.
func (v *Veil) Bares(id string) bool {
	return v.seals() && len(id) <= longestSealed && !strings.HasPrefix(id, sealedText)
}

// OpenLogin is the id that was sealed; what cannot be opened stays as it is.
func (v *Veil) OpenLogin(user, id string) string {
	text, is := strings.CutPrefix(id, sealedText)
	if !is || !v.seals() {
		return id
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return id
	}
	plain, err := v.sealer(user, logins).Open(nil, nil, sealed, nil)
	if err != nil {
		return id
	}
	return string(unpadded(plain))
}

// MayHandOver says whether users may be left for other shards: what is dropped of
// them must not, where there is no key to seal it by.
func (v *Veil) MayHandOver() bool { return v.seals() || v.of(config.StreamUsers).mask == 0 }

// hashesRows says that fingerprints of a stream are those of its rows.
func (v *Veil) hashesRows(s config.Stream) bool {
	return v != nil && v.root == nil && v.of(s).mask != 0
}

// rowHasher makes what hashes the rows of a stream.
func (v *Veil) rowHasher(s config.Stream) table.RowHasher {
	var ignored []table.MaskField
	for _, path := range finoos.Volatile() {
		ignored = append(ignored, table.MaskField{Path: path, Action: table.MaskDrop})
	}
	return v.masking.Hasher(string(s), ignored...)
}

const handover = "handover"

// SealUser is a user of the list as it is left for another shard.
func (v *Veil) SealUser(record []byte) []byte {
	if !v.seals() {
		return record
	}
	return v.sealTo(nil, "", handover, record, nil)
}

// OpenUser is what was sealed. What was not, or by another key, is no user.
func (v *Veil) OpenUser(record []byte) []byte {
	if !v.seals() {
		return record
	}
	plain, err := v.sealer("", handover).Open(nil, nil, record, nil)
	if err != nil {
		return nil
	}
	return unpadded(plain)
}

// Fingerprint is what may be remembered of a text that a table may hide.
func (v *Veil) Fingerprint(hash uint64) uint64 {
	switch {
	case v == nil:
		return hash
	case !v.seals():
		return 1 // whatever it says
	}
	mac := hmac.New(sha256.New, v.expand("fingerprints"))
	_, _ = mac.Write(binary.LittleEndian.AppendUint64(nil, hash)) // never fails
	return binary.LittleEndian.Uint64(mac.Sum(nil))
}

// errorText is what may be written of an error: what the API says in its own words
// may hold what is hidden.
func (v *Veil) errorText(err error) string {
	if v == nil {
		return err.Error()
	}
	return finoos.WithoutWords(err)
}
