package edge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"
	"time"

	"tikakosh/internal/vault"
)

// typeJOSE is the media type of a compact JWS (RFC 7515 section 9.2.1).
const typeJOSE = "application/jose"

// revocationCache is how long a fetched list is served before the vault is
// asked again: a revocation is public well within a minute.
const revocationCache = 15 * time.Second

// revocationRetry is how long a vault that did not answer is left alone.
const revocationRetry = time.Second

// Revocations is the vault's list of certificates taken back.
type Revocations interface {
	Revocations(ctx context.Context) (vault.RevocationList, error)
}

// revocationList keeps the last list. While the vault is down the one it gave
// last goes on being served; its own date says how old it is.
type revocationList struct {
	mu   sync.Mutex
	at   time.Time
	list []byte
	etag string
}

func (r *revocationList) get(ctx context.Context, from Revocations, now time.Time) ([]byte, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if age := now.Sub(r.at); r.list != nil && age >= 0 && age < revocationCache {
		return r.list, r.etag, nil
	}
	got, err := from.Revocations(ctx)
	if err != nil {
		if r.list != nil {
			r.at = now.Add(revocationRetry - revocationCache) // a vault that is down is not asked by every caller
			return r.list, r.etag, nil
		}
		return nil, "", err
	}
	sum := sha256.Sum256(got.List)
	r.list, r.etag, r.at = got.List, `"`+hex.EncodeToString(sum[:16])+`"`, now
	return r.list, r.etag, nil
}

// revocations serves the signed list of revoked certificates: GET
// /api/v3/revocations.
func revocations(c *Ctx) error {
	list, etag, err := c.s.revoked.get(c.r.Context(), c.s.cfg.Codes, c.s.cfg.Now())
	if err != nil {
		return err
	}
	c.public(30)
	h := c.w.Header()
	h.Set("ETag", etag)
	if match := c.r.Header["If-None-Match"]; len(match) > 0 && hasTag(match, [2]string{etag, etag}) {
		c.w.WriteHeader(304)
		return nil
	}
	h.Set("Content-Type", typeJOSE)
	h.Set("Content-Length", strconv.Itoa(len(list)))
	_, _ = c.w.Write(list)
	return nil
}

func revocationRoutes() []Route {
	return []Route{{Method: "GET", Path: "/api/v3/revocations", Audience: Public, Action: "revocations", Rate: RateSearch, ContentType: typeJOSE, Handler: revocations}}
}
