package keeper

import (
	"crypto/sha256"
	"sync"
	"time"
)

// verifiedMax bounds the bearers remembered; one goes for each that comes then.
const verifiedMax = 50_000

// verifiedBearers remembers, by digest, the claims of bearers whose signature and form
// were found right, so that the same text is not verified again with every
// request of its quarter of an hour. The times and the session's row are looked
// at each time all the same: a bearer that was ended is ended at once.
type verifiedBearers struct {
	mu sync.RWMutex
	by map[[sha256.Size]byte]bearerClaims
}

func (v *verifiedBearers) get(text string, now time.Time) (bearerClaims, bool) {
	key := sha256.Sum256([]byte(text))
	v.mu.RLock()
	defer v.mu.RUnlock()
	c, ok := v.by[key]
	return c, ok && now.Before(time.Unix(c.Expiry, 0)) && time.Unix(c.Expiry, 0).Sub(now) <= bearerLife
}

func (v *verifiedBearers) put(text string, c bearerClaims) {
	key := sha256.Sum256([]byte(text))
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.by == nil {
		v.by = map[[sha256.Size]byte]bearerClaims{}
	}
	for other := range v.by { // in no order
		if len(v.by) < verifiedMax {
			break
		}
		delete(v.by, other)
	}
	v.by[key] = c
}
