package edge

import (
	"crypto/hmac"
	"crypto/sha256"
	"sync"
)

// verifiedMax bounds the bearers remembered as verified; one goes for each
// that comes then.
const verifiedMax = 100_000

// verified remembers, by digest, bearers whose signature this process has
// checked, and when they expire in Unix seconds. A signature once right stays
// right, so a request under a rush costs a digest and not a verification. Only
// verified ones are kept: a stranger's garbage takes no room. Whether a bearer
// was ended is the vault's to say; the web role never knows.
type verified struct {
	key [32]byte // of this process: names in its memory are nobody else's hash of the text
	mu  sync.RWMutex
	by  map[[sha256.Size]byte]int64
}

func (v *verified) name(text string) [sha256.Size]byte {
	h := hmac.New(sha256.New, v.key[:])
	h.Write([]byte(text))
	return [sha256.Size]byte(h.Sum(nil))
}

// has reports whether the bearer was verified and has not expired.
func (v *verified) has(text string, now int64) bool {
	key := v.name(text)
	v.mu.RLock()
	defer v.mu.RUnlock()
	exp, ok := v.by[key]
	return ok && now < exp
}

func (v *verified) put(text string, exp int64) {
	key := v.name(text)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.by == nil {
		v.by = map[[sha256.Size]byte]int64{}
	}
	for other := range v.by { // in no order
		if len(v.by) < verifiedMax {
			break
		}
		delete(v.by, other)
	}
	v.by[key] = exp
}
