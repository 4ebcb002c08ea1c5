package proof

import (
	"bytes"
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
	by map[[sha256.Size]byte]BearerClaims
}

func (v *verifiedBearers) get(text string, now time.Time) (BearerClaims, bool) {
	key := sha256.Sum256([]byte(text))
	v.mu.RLock()
	defer v.mu.RUnlock()
	c, ok := v.by[key]
	return c, ok && now.Before(time.Unix(c.Expiry, 0)) && time.Unix(c.Expiry, 0).Sub(now) <= BearerLife
}

func (v *verifiedBearers) put(text string, c BearerClaims) {
	key := sha256.Sum256([]byte(text))
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.by == nil {
		v.by = map[[sha256.Size]byte]BearerClaims{}
	}
	for other := range v.by { // in no order
		if len(v.by) < verifiedMax {
			break
		}
		delete(v.by, other)
	}
	v.by[key] = c
}

// forget drops bearers that have expired, in Unix seconds.
func (v *verifiedBearers) forget(now int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for name, c := range v.by {
		if c.Expiry <= now {
			delete(v.by, name)
		}
	}
}

// verifyAhead checks the bearers in a request before the transaction that needs
// them: a signature costs as much as a whole transaction, and while one runs all
// others wait. It decides nothing, and missing one costs time only: the
// transaction asks again.
func (k *Desk) verifyAhead(request []byte) {
	mark := []byte(`"Bearer":"`)
	for {
		_, rest, ok := bytes.Cut(request, mark)
		if !ok {
			return
		}
		text, after, closed := bytes.Cut(rest, []byte(`"`))
		if closed && len(text) > 0 && len(text) <= 1024 {
			_, _ = k.CheckBearer(string(text))
		}
		request = after
	}
}
